from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from simulation.behaviour import ClientEvent, SeenPost
from simulation.follows import draw_follows
from simulation.history import History
from simulation.people import populate
from simulation.scale import SMOKE

NOW = datetime(2025, 11, 3, 12, tzinfo=UTC)
TOPICS = tuple(f"topic{number}" for number in range(8))
POPULATION = populate(20, SMOKE.readers, SMOKE.creators, TOPICS)
PEOPLE = {index: f"user{index:07d}" for index in range(len(POPULATION.people))}


def _posts() -> list[SeenPost]:
    rng = np.random.default_rng(0)
    return [
        SeenPost(
            id=f"post{number:07d}",
            author_id=PEOPLE[number % SMOKE.creators],
            creator=number % SMOKE.creators,
            topic=number % 8,
            topic_name=TOPICS[number % 8],
            appeal=float(rng.normal()),
            is_reel=number % 10 == 9,
            brightness=0.5,
            aspect=1.0,
            posted_at=NOW - SMOKE.span * float(rng.random()),
        )
        for number in range(SMOKE.photos)
    ]


def _events() -> list[ClientEvent]:
    history = History(POPULATION, PEOPLE, _posts(), draw_follows(POPULATION, SMOKE.followed_share, 20))
    return history.events(SMOKE, NOW, 20)


@pytest.fixture(scope="module")
def events() -> list[ClientEvent]:
    return _events()


def test_history_has_the_size_that_was_announced(events: list[ClientEvent]) -> None:
    assert 5_000 < len(events) < 7_500


def test_history_is_in_order_of_time_and_in_the_past(events: list[ClientEvent]) -> None:
    times = [datetime.fromisoformat(str(event["occurredAt"])) for event in events]

    assert times == sorted(times)
    assert NOW - SMOKE.span < times[0]
    assert times[-1] < NOW


def test_nobody_sees_a_post_before_it_exists_or_their_own(events: list[ClientEvent]) -> None:
    posts = {post.id: post for post in _posts()}
    for event in events:
        if "postId" in event:
            post = posts[str(event["postId"])]
            assert str(event["occurredAt"]) > post.posted_at.isoformat()
            assert event["actorId"] != post.author_id


def test_about_a_third_of_what_is_seen_is_from_creators_not_followed(events: list[ClientEvent]) -> None:
    sources = Counter(event["source"] for event in events if event["type"] == "impression")

    assert set(sources) == {"following", "explore"}
    assert 0.2 < sources["explore"] / sources.total() < 0.5


def test_nobody_likes_or_saves_a_post_or_follows_a_person_twice(events: list[ClientEvent]) -> None:
    done = Counter(
        (event["actorId"], event["type"], event.get("postId") or event["personId"])
        for event in events
        if event["type"] in {"like", "save", "follow"}
    )

    assert max(done.values()) == 1


def test_a_replay_sends_the_very_same_events(events: list[ClientEvent]) -> None:
    assert _events() == events


def test_a_world_whose_photos_are_all_too_new_has_no_history() -> None:
    new = [replace(post, posted_at=NOW + timedelta(hours=1)) for post in _posts()]

    assert History(POPULATION, PEOPLE, new, ()).events(SMOKE, NOW, 20) == []
