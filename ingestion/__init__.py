"""Kafka workers: the photo path, engagement events to features, fan-out, archives."""
