"""What answers do not tell: how fresh features are, and how long photos wait."""

from collections.abc import Callable, Mapping

import httpx
from prometheus_client.parser import text_string_to_metric_families

from photofeed import database
from tools.load.objectives import FRESHNESS, PHOTO_WAIT, quantile
from tools.load.world import LoadedWorld
from tools.prometheus import workers

_FRESHNESS = "photofeed_engagement_freshness_seconds"
_OLDEST = """
select coalesce(extract(epoch from now() - min(completed_at)), 0)::float as seconds
from photos where status = 'processing'
"""
_SECONDS = 10.0


def reading(world: LoadedWorld) -> Callable[[], Mapping[str, float]]:
    """Read now; the result reads again, and returns the figures of the time between."""
    before = freshness_counts(_metrics(world))

    def since() -> Mapping[str, float]:
        after = freshness_counts(_metrics(world))
        return {FRESHNESS.name: quantile(before, after, 0.99), PHOTO_WAIT.name: _photo_wait(world)}

    return since


def freshness_counts(metrics: str) -> dict[float, float]:
    """Upper bound -> events at most that late, of the metrics of a features worker."""
    return {
        float(sample.labels["le"]): sample.value
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name == f"{_FRESHNESS}_bucket"
    }


def _metrics(world: LoadedWorld) -> str:
    port = workers(world.running.logs)["features"]
    return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=_SECONDS).raise_for_status().text


def _photo_wait(world: LoadedWorld) -> float:
    with database.connect(world.running.settings) as connection:
        row = connection.execute(_OLDEST).fetchone()
    return float(row["seconds"]) if row else 0.0
