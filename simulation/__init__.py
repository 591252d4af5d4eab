"""Simulated users: they fill the demo with data and compare rankers on the real feed."""
