"""photofeed on a Redis Cluster: everything works on it, and feeds stay available while a primary dies."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from ingestion.bootstrap.engagement import engagement_pipeline
from ingestion.bootstrap.feeds import open_pools
from ingestion.engagement.pipeline import EngagementPipeline
from ingestion.timeline_rebuild import TimelineRebuild
from photofeed import database
from photofeed.events import Envelope
from photofeed.feature_store import close_feature_store, open_feature_store
from photofeed.redis_client import RedisClient, connect_redis, connect_redis_async, server_url
from photofeed.timelines import entries_of
from photofeed.tokens import mint_token
from photofeed.topics import ENGAGEMENT
from serving import bootstrap
from serving.app import create_app
from serving.rate_limits import RateLimiter, RouteClass, shared_counts
from tests.api.feed_world import FeedWorld
from tests.doubles.event_log import InMemoryEventLog
from tests.valkey_cluster import ValkeyCluster, running_cluster

if TYPE_CHECKING:
    from photofeed.settings import Settings

PATIENCE_SECONDS = 60.0


@dataclass
class Clustered:
    """The API and the writers of Redis on a cluster of their own."""

    cluster: ValkeyCluster
    settings: "Settings"
    http: TestClient
    log: InMemoryEventLog
    redis: RedisClient
    features: EngagementPipeline
    viewer: int
    followed: list[int]

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        headers = {"Authorization": f"Bearer {mint_token(self.settings, self.viewer)}"} | arguments.pop("headers", {})
        return self.http.request(method, path, headers=headers, **arguments)

    def feed(self, query: str = "limit=20") -> dict[str, Any]:
        reply = self.call("GET", f"/v1/feed?{query}")
        assert reply.status_code == 200, reply.text
        body: dict[str, Any] = reply.json()
        return body

    def counted_ids(self) -> int:
        """The number of events that the features worker remembers."""
        return sum(self.redis.scard(day) for day in self.redis.scan_iter("*counted:*"))

    def count(self) -> None:
        """Run the features worker over all events that clients have sent."""
        consumer = self.log.consumer("features", [ENGAGEMENT])
        while messages := consumer.poll(100, 0):
            self.features.handle([Envelope.decode(message.value) for message in messages])
            consumer.commit()


@pytest.fixture(scope="module")
def clustered(settings: "Settings", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clustered]:
    with ExitStack() as owned:
        cluster = owned.enter_context(running_cluster(tmp_path_factory.mktemp("cluster")))
        settings = settings.model_copy(update={"redis_url": SecretStr(cluster.url), "explore_pools_seconds": 0.0})
        world = FeedWorld(settings)
        viewer, *others = world.people(30)
        followed = others[:20]
        world.follow(viewer, followed)
        world.deliver(world.posts(followed, 3), [viewer])
        world.deliver(world.posts(others[20:], 2), [])
        log = InMemoryEventLog()
        make_services = partial(bootstrap.services, connect_publisher=lambda _: log, redis_seconds=PATIENCE_SECONDS)
        http = owned.enter_context(TestClient(create_app(settings, make_services), base_url="http://127.0.0.1"))
        feed = http.app_state["services"].feed
        feed.source_seconds = feed.postgres_seconds = PATIENCE_SECONDS
        redis = owned.enter_context(connect_redis(settings))
        store = open_feature_store(settings)
        owned.callback(close_feature_store, store)
        features = engagement_pipeline(settings, store, redis)
        features.become_leader()
        yield Clustered(cluster, settings, http, log, redis, features, viewer, followed)


def test_feeds_events_counters_pools_and_timelines_work_and_use_all_primaries(clustered: Clustered) -> None:
    first = clustered.feed()
    assert first["skippedSources"] == []
    second = clustered.feed(f"limit=20&cursor={first['nextCursor']}")
    shown = [item["post"]["id"] for item in first["items"]]
    assert not set(shown) & {item["post"]["id"] for item in second["items"]}
    events = [
        {
            "id": f"seen-{item['post']['id']}",
            "type": "impression",
            "postId": item["post"]["id"],
            "receipt": item["receipt"],
        }
        for item in first["items"]
    ]
    for _ in range(2):  # clients repeat calls
        assert clustered.call("POST", "/v1/events", json={"events": events}).status_code == 202
    key = {"Idempotency-Key": "once"}
    # A leader remembers the events that the lake has, and other tests write to the lake of this session.
    remembered = clustered.counted_ids()
    posted = [
        clustered.call("POST", f"/v1/posts/{shown[0]}/comments", json={"text": "Hello"}, headers=key) for _ in range(2)
    ]
    assert posted[0].json()["id"] == posted[1].json()["id"]
    clustered.count()
    assert clustered.counted_ids() == remembered + len(events)
    again = {item["post"]["id"] for item in clustered.feed()["items"]}
    assert not again & set(shown)  # seen posts are not shown again
    assert clustered.features.counted.pending() == []
    with open_pools(clustered.settings) as pools:
        pools.build(datetime.now(UTC))
    with database.pool(clustered.settings) as pool:
        assert TimelineRebuild(pool, clustered.redis, clustered.settings.timeline_length).rebuild() > 0
    assert all(keys > 0 for keys in clustered.cluster.key_counts())
    assert clustered.call("GET", "/readyz").json()["failing"] == []


def test_processes_share_rate_limits(clustered: Clustered) -> None:
    settings = clustered.settings.model_copy(update={"rate_uploads": "10/hour"})

    async def admitted() -> list[bool]:
        client = connect_redis_async(settings, PATIENCE_SECONDS)
        processes = [RateLimiter(settings, shared_counts(client, server_url(settings))) for _ in range(2)]
        found = []
        for limiter in processes:
            for _ in range(6):
                found.append(limiter.admit(RouteClass.UPLOADS, "somebody").admitted)
                for one in processes:
                    await one.share()
        await client.aclose()
        return found

    found = asyncio.run(admitted())
    assert 9 <= sum(found) <= 11
    assert found[:9] == [True] * 9


def test_the_entries_of_a_post_are_found_on_all_nodes(clustered: Clustered) -> None:
    posts = FeedWorld(clustered.settings).posts(clustered.followed[:1], 1)
    FeedWorld(clustered.settings).deliver(posts, [clustered.viewer, *clustered.followed])
    keys = {key for key, _ in entries_of(clustered.redis, posts)}
    assert {f"tl:{person}" for person in (clustered.viewer, *clustered.followed)} < keys


def test_feeds_are_served_while_a_primary_dies_and_whole_after_its_replica_is_promoted(clustered: Clustered) -> None:
    """The last test on this cluster, which it leaves with one replica less."""
    before = clustered.feed()
    assert before["items"]
    clustered.cluster.wait_for_replicas()
    done, refused = threading.Event(), list[int]()

    def ask() -> None:
        while not done.is_set():
            reply = clustered.call("GET", "/v1/feed?limit=20")
            if reply.status_code != 200 or not reply.json()["items"]:
                refused.append(reply.status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    clustered.cluster.kill_primary(0)
    clustered.cluster.wait_for_promotion(0)
    done.set()
    asking.join()
    assert refused == []
    after = clustered.feed()
    assert after["skippedSources"] == []
    assert {item["source"] for item in after["items"]} >= {"following"}
