"""Replies while a dependency of the feed is down, and after it is back."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from queue import Queue
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from photofeed import database
from photofeed.embedded.stack import EmbeddedStack
from photofeed.redis_client import connect_redis
from photofeed.settings import Settings
from photofeed.tokens import SERVICE, mint_token
from serving import bootstrap
from serving.app import create_app
from serving.feed.scorers.fallback_chain import FallbackChain
from serving.feed.scorers.popularity import PopularityScorer
from serving.feed.scorers.recency import RecencyScorer
from tests.api.feed_world import FeedWorld
from tests.doubles.event_log import InMemoryEventLog
from tests.unit.serving.fake_models import FakeModels, FixedScorer, model_of

if TYPE_CHECKING:
    from tests.api.conftest import App

Reply = tuple[int, dict[str, Any]]
LONGEST_WAIT_SECONDS = 60


@dataclass
class Frail:
    """The API with a Valkey and a PostgreSQL of its own, which tests may stop."""

    http: TestClient
    models: FakeModels
    settings: Settings
    valkey: EmbeddedStack
    postgres: EmbeddedStack
    viewer: int
    followed: list[int]

    def readiness(self) -> tuple[int, str, list[str]]:
        """HTTP status, status and failing systems of the readiness check."""
        reply = self.http.get("/readyz")
        return reply.status_code, reply.json()["status"], reply.json()["failing"]

    def feed(self) -> Reply:
        token = mint_token(self.settings, self.viewer)
        reply = self.http.get("/v1/feed?limit=20", headers={"Authorization": f"Bearer {token}"})
        return reply.status_code, reply.json()

    def rank(self) -> Reply:
        """A ranking of three items."""
        token = mint_token(self.settings, 0, frozenset({SERVICE}))
        body = {"person": {"externalId": "p"}, "candidates": [{"externalId": name} for name in "abc"]}
        reply = self.http.post("/v1/rank", json=body, headers={"Authorization": f"Bearer {token}"})
        return reply.status_code, reply.json()

    @contextmanager
    def under_load(self) -> Iterator[Callable[[Callable[[Reply], bool]], Reply]]:
        """Request feeds continuously; gives a function that waits for a matching reply. No reply may be a 500."""
        replies: Queue[Reply] = Queue()
        done = threading.Event()

        def ask() -> None:
            while not done.is_set():
                replies.put(self.feed())

        def until(right: Callable[[Reply], bool]) -> Reply:
            while True:
                reply = replies.get(timeout=LONGEST_WAIT_SECONDS)
                assert reply[0] != 500, reply
                if right(reply):
                    return reply

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            yield until
        finally:
            done.set()
            asking.join()


@pytest.fixture(scope="module")
def frail(app: "App", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frail]:
    with ExitStack() as owned:
        stacks = {name: EmbeddedStack(tmp_path_factory.mktemp(name)) for name in ("valkey", "postgres")}
        for name, stack in stacks.items():
            stack.start(servers=(name,))
            owned.callback(stack.stop)
        settings = app.settings.model_copy(
            update={
                "redis_url": stacks["valkey"].settings().redis_url,
                "database_url": stacks["postgres"].settings().database_url,
            }
        )
        database.migrate(settings)
        world = FeedWorld(settings)
        viewer, *others = world.people(30)
        followed = others[:20]
        world.follow(viewer, followed)
        world.deliver(world.posts(followed, 3), [viewer])
        world.deliver(world.posts(others[20:], 2), [])
        log = InMemoryEventLog()
        make_services = partial(bootstrap.services, connect_publisher=lambda _: log)
        http = owned.enter_context(TestClient(create_app(settings, make_services), base_url="http://127.0.0.1"))
        models = FakeModels()
        feed = http.app_state["services"].feed
        chain = FallbackChain(models, [PopularityScorer(), RecencyScorer()])
        feed.ranker = replace(feed.ranker, fallback_chain=chain)
        yield Frail(http, models, settings, stacks["valkey"], stacks["postgres"], viewer, followed)


def _ranked(way: str) -> Callable[[Reply], bool]:
    return lambda reply: reply[0] == 200 and reply[1]["ranking"] == way


def test_a_failing_champion_is_replaced_by_the_previous_one_and_then_by_popularity(frail: Frail) -> None:
    feed = frail.http.app_state["services"].feed
    good = FixedScorer(np.arange(7.0))
    with frail.under_load() as until:
        frail.models.previous = model_of("1", good, feed.ranker.features)
        frail.models.live = model_of("2", good, feed.ranker.features)
        assert until(_ranked("model"))[1]["model"]["version"] == "2"
        frail.models.live = model_of("3", FixedScorer(np.array([np.nan])), feed.ranker.features)
        assert until(_ranked("previous"))[1]["model"]["version"] == "1"
        frail.models.live = frail.models.previous = None
        body = until(_ranked("popularity"))[1]
        assert body["model"] is None
        assert len(body["items"]) == 20
        frail.models.live = model_of("2", good, feed.ranker.features)
        until(_ranked("model"))
        frail.models.live = None


def test_without_redis_the_feed_has_the_newest_followed_posts_and_recovers(frail: Frail) -> None:
    with frail.under_load() as until:
        until(_ranked("popularity"))
        frail.valkey.stop()
        # the pools stay cached for a moment
        away = {"following", "pools"}
        body = until(lambda reply: _ranked("recency")(reply) and away <= set(reply[1]["skippedSources"]))[1]
        assert frail.readiness() == (200, "degraded", ["redis"])
        ranked = frail.rank()
        frail.valkey.start(servers=("valkey",))
        until(lambda reply: _ranked("popularity")(reply) and reply[1]["skippedSources"] == [])
        again = until(_ranked("popularity"))[1]
    authors = {item["post"]["author"]["id"] for item in body["items"]}
    assert (ranked[0], ranked[1]["ranking"], len(ranked[1]["items"])) == (200, "recency", 3)
    assert len(body["items"]) == 20
    assert all(item["source"] == "following" for item in body["items"])
    assert len(authors) > 3
    assert body["nextCursor"] is None
    assert "following" in body["skippedSources"]
    assert again["nextCursor"] is not None
    assert again["skippedSources"] == []


def test_a_log_that_takes_no_messages_is_named_and_feeds_are_served(
    frail: Frail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InMemoryEventLog, "answers", False)
    assert frail.readiness() == (200, "degraded", ["kafka"])
    assert frail.feed()[0] == 200


def test_lost_timelines_are_replaced_by_postgres(frail: Frail) -> None:
    before = frail.feed()[1]
    with connect_redis(frail.settings) as client:
        client.flushall()
    status, body = frail.feed()
    assert status == 200
    assert {item["source"] for item in before["items"]} >= {"following"}
    assert sum(item["source"] == "following" for item in body["items"]) >= 15


def test_without_postgres_the_reply_is_a_clear_problem_until_it_is_back(frail: Frail) -> None:
    with frail.under_load() as until:
        until(lambda reply: reply[0] == 200)
        frail.postgres.stop()
        _, problem = until(lambda reply: reply[0] != 200)
        assert frail.readiness() == (503, "unavailable", ["postgresql"])
        frail.postgres.start(servers=("postgres",))
        until(lambda reply: reply[0] == 200)
    assert problem["status"] == 503
    assert problem["code"] == "unavailable"
    assert problem["title"]
