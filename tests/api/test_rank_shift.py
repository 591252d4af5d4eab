"""What a group of accounts can do to a post's rank in somebody else's feed."""

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ingestion.bootstrap.engagement import engagement_pipeline
from ingestion.consumer.worker import Worker
from photofeed import topics
from photofeed.feature_store import close_feature_store, open_feature_store
from photofeed.redis_client import connect_redis
from tests.api.conftest import Person
from tests.api.pictures import picture
from tools.attack.rank_shift import rank_shift

if TYPE_CHECKING:
    from photofeed.settings import Settings
    from tests.api.conftest import App

ATTACKERS, EVENTS = 10, 1_000
MOST_RANKS = 5


@pytest.fixture(scope="module")
def settle(app: "App", settings: "Settings") -> Iterator[Callable[[float], Callable[[], None]]]:
    """Makes the step that counts all events, with this many hours in which an account is new."""
    store: Any = open_feature_store(settings)
    with connect_redis(settings) as client:
        consumer = app.log.consumer("rank-shift", topics.SUBSCRIPTIONS[topics.FEATURES_GROUP])
        while consumer.poll(1000, 0):
            pass
        pipeline = engagement_pipeline(settings, store, client)
        pipeline.become_leader()
        worker = Worker("rank-shift", consumer, app.log, pipeline.handle, threading.Event())

        def step() -> None:
            app.work()
            while worker.step():
                pass

        def make(new_account_hours: float) -> Callable[[], None]:
            changed = settings.model_copy(update={"new_account_hours": new_account_hours})
            pipeline.new_account_us = changed.new_account_us
            return step

        yield make
    close_feature_store(store)


@pytest.fixture(scope="module")
def authors(app: "App") -> list[Person]:
    """Three people with ten posts each."""
    people = [app.person() for _ in range(3)]
    for number in range(30):
        people[number % 3].upload(picture(500 + number, (160, 120)))
    return people


@pytest.fixture
def viewer(app: "App", authors: list[Person]) -> Person:
    """Somebody who follows them all."""
    person = app.person()
    for author in authors:
        person.call("PUT", f"/v1/users/{author.id}/follow")
    return person


def test_new_accounts_move_a_post_by_few_ranks(
    app: "App", viewer: Person, settle: Callable[[float], Callable[[], None]]
) -> None:
    count = settle(24)
    count()
    assert rank_shift(viewer, [app.person() for _ in range(ATTACKERS)], count, EVENTS) <= MOST_RANKS


def test_the_measurement_sees_accounts_that_are_believed(
    app: "App", viewer: Person, settle: Callable[[float], Callable[[], None]]
) -> None:
    count = settle(0)
    count()
    assert rank_shift(viewer, [app.person() for _ in range(ATTACKERS)], count, EVENTS) > MOST_RANKS
