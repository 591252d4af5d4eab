"""What the rows that the server keeps are worth, and how far they are behind Redis while a writer changes them."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from feed_client import Requests, at_rate
from numpy.typing import NDArray

from photofeed.embedded import http_probe
from photofeed.features.manifest import FeatureManifest
from photofeed.online_store.published_rows import publish
from photofeed.online_store.reader import PackedReader
from photofeed.online_store.writer import PackedWriter

WRITES = 200
POSTS_A_WRITE = 20
_LAG, _READS = "photofeed_hot_rows_lag_seconds_bucket", "photofeed_hot_row_reads_total"


def samples(url: str, name: str) -> dict[str, float]:
    """The samples of a metric, by the value of their only label."""
    found = {}
    for line in http_probe.get(f"{url}/metrics").decode().splitlines():
        if line.startswith(name + "{"):
            found[line.partition('="')[2].partition('"')[0]] = float(line.rpartition(" ")[2])
    return found


def hit_share(url: str) -> float:
    """The share of rows of posts and authors that feeds took out of the process since the server's start."""
    reads = samples(url, _READS)
    return reads.get("hit", 0.0) / max(sum(reads.values()), 1.0)


def staleness_p99_ms(feeds: Requests, rate: float, redis: Any, manifest: FeatureManifest, posts: NDArray[Any]) -> float:
    """An upper bound of the 99th percentile of the time from a publication until the server had applied it.

    The bound is that of a bucket of the server's histogram. Meanwhile the server answers `rate` feeds a second.
    """
    before = samples(feeds.base_url, _LAG)
    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(_write, redis, manifest, posts)
        while not writing.done():
            asyncio.run(at_rate(feeds, rate, 1.0, 8))
        writing.result()
    after = samples(feeds.base_url, _LAG)
    counts = {bound: count - before.get(bound, 0.0) for bound, count in after.items()}
    enough = 0.99 * counts["+Inf"]
    return min(float(bound) for bound, count in counts.items() if count >= enough) * 1000


def _write(redis: Any, manifest: FeatureManifest, posts: NDArray[Any]) -> None:
    """Write rows of posts as they are, each a microsecond newer than before."""
    schema = manifest.view("post_engagement").schema
    reader, writer, random = PackedReader([schema], client=redis), PackedWriter(schema), np.random.default_rng(5)
    for _ in range(WRITES):
        entities = {"post_id": np.unique(random.choice(posts, POSTS_A_WRITE))}
        rows = reader.read(entities)[schema.view]
        pipeline = redis.pipeline(transaction=False)
        written = writer.write(pipeline, entities, rows.values, rows.event_timestamp + 1, keep_newest=True)
        pipeline.execute()
        publish(redis, written)
