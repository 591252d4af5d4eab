from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from simulation.errors import BrokenPathError
from simulation.live import Session, live_sessions, summary
from simulation.people import populate
from simulation.world import World

POPULATION = populate(3, 20, 3, ("sea", "city"))


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world(POPULATION, ["sea"] * 12)


def test_a_session_sends_its_events_as_the_person(api: Any, world: World) -> None:
    began = datetime.now(UTC)
    steps: list[int] = []
    with api.client() as client:
        sessions = live_sessions(client, world, [5, 9], np.random.default_rng(1), steps.append)

    assert [session.person for session in sessions] == [5, 9]
    assert [session.events_accepted for session in sessions] == [len(batch) for batch in api.batches]
    assert {event["actorId"] for event in api.batches[0]} == {world.people[5]}
    assert {event["slateId"] for event in api.events} == {"slate"}
    assert all(event["receipt"] == f"r{event['position']}" for event in api.events if "postId" in event)
    times = [datetime.fromisoformat(event["occurredAt"]) for event in api.batches[0]]
    assert times == sorted(times)
    assert began < times[0]
    assert times[-1] <= datetime.now(UTC)  # the API takes nothing from the future
    assert steps == [1, 1]
    assert summary(sessions).startswith("2 users saw ")


def test_engagement_counts_likes_comments_saves_and_shares(api: Any, world: World) -> None:
    with api.client() as client:
        sessions = live_sessions(client, world, range(20), np.random.default_rng(2), lambda _: None)

    expected = [sum(e["type"] in {"like", "comment", "save", "share"} for e in batch) for batch in api.batches]
    assert [session.engagement for session in sessions] == expected
    assert sum(expected) > 0


def test_an_empty_feed_is_a_session_without_events(api: Any, world: World) -> None:
    api.photos.clear()
    with api.client() as client:
        (session,) = live_sessions(client, world, [5], np.random.default_rng(1), lambda _: None)

    assert (session.engagement, session.events_accepted, api.batches) == (0, 0, [])


def test_refused_events_are_an_error(api: Any, world: World) -> None:
    del api.users[world.people[5]]

    with api.client() as client, pytest.raises(BrokenPathError, match="actor_not_found: nobody"):
        live_sessions(client, world, [5], np.random.default_rng(1), lambda _: None)


def test_the_summary_has_the_totals_of_all_sessions() -> None:
    sessions = [
        Session(0, 17, Counter(impression=10, open=4, like=2, share=1)),
        Session(1, 7, Counter(impression=5, like=1, save=1, comment=1)),
    ]

    assert [session.engagement for session in sessions] == [3, 3]
    assert summary(sessions) == "2 users saw 15 posts and engaged 6 times, including 3 likes"
