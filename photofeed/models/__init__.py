"""Registered models: contract, registry client, history of moves, scorer."""
