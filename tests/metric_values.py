"""Values of the metrics of this process."""

from prometheus_client import REGISTRY


def metric(series: str, **labels: str) -> float:
    """The value of a series; 0 if it does not exist yet."""
    return REGISTRY.get_sample_value(series, labels) or 0.0
