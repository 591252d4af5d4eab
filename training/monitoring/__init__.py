"""Drift of served features, and skew between training and serving."""
