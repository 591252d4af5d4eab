"""The HTTP API and the feed path."""
