"""Promotion of a version to champion: evidence, gates, alias moves, report."""
