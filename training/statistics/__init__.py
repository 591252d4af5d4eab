"""Metrics and estimators: arrays in, numbers out. Nothing here depends on a model or a data source."""
