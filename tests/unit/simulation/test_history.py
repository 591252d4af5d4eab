from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from simulation.behaviour import ClientEvent, PostView
from simulation.follows import draw_follows
from simulation.history import History
from simulation.people import populate
from simulation.scale import SMOKE

NOW = datetime(2025, 11, 3, 12, tzinfo=UTC)
TOPICS = tuple(f"topic{number}" for number in range(8))
POPULATION = populate(20, SMOKE.readers, SMOKE.creators, TOPICS)
PEOPLE = {index: f"user{index:07d}" for index in range(len(POPULATION.people))}


def _posts() -> list[PostView]:
    rng = np.random.default_rng(0)
    return [
        PostView(
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


def test_history_has_about_25_events_per_session(events: list[ClientEvent]) -> None:
    assert 20 < len(events) / SMOKE.sessions < 30


def test_history_is_in_order_of_time_and_before_the_anchor(events: list[ClientEvent]) -> None:
    times = [datetime.fromisoformat(str(event["occurredAt"])) for event in events]

    assert times == sorted(times)
    assert NOW - SMOKE.span < times[0]
    assert times[-1] < NOW


def test_nobody_sees_their_own_posts_or_posts_from_the_future(events: list[ClientEvent]) -> None:
    posts = {post.id: post for post in _posts()}
    on_posts = [event for event in events if "postId" in event]
    assert len(on_posts) > 4_000
    for event in on_posts:
        post = posts[str(event["postId"])]
        assert str(event["occurredAt"]) > post.posted_at.isoformat()
        assert event["actorId"] != post.author_id


def test_about_a_third_of_impressions_are_from_creators_not_followed(events: list[ClientEvent]) -> None:
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


def test_the_same_seed_gives_the_same_history(events: list[ClientEvent]) -> None:
    assert _events() == events


def test_a_world_without_past_posts_has_no_history() -> None:
    new = [replace(post, posted_at=NOW + timedelta(hours=1)) for post in _posts()]

    assert History(POPULATION, PEOPLE, new, ()).events(SMOKE, NOW, 20) == []


def test_slates_are_new_posts_mostly_recent_ones_of_followed_creators() -> None:
    reader = 20
    people = tuple(
        replace(person, patience=1.0, sessions_weight=float(index == reader))
        for index, person in enumerate(POPULATION.people)
    )
    recent, old = NOW - timedelta(days=1), NOW - timedelta(days=30)
    posts = [
        replace(post, id=f"{when.date()} {round_} {post.id}", posted_at=when)
        for when in (recent, old)
        for round_ in range(3)
        for post in _posts()
    ]
    follows = [(reader, creator) for creator in range(4)]
    scale = replace(SMOKE, sessions=3, days=1, slate_length=10)

    events = History(replace(POPULATION, people=people), PEOPLE, posts, follows).events(scale, NOW, 20)

    impressions = [event for event in events if event["type"] == "impression"]
    first = impressions[:10]
    assert Counter(event["source"] for event in first) == {"following": 7, "explore": 3}
    assert all(str(event["postId"]).startswith(str(recent.date())) for event in first if event["source"] == "following")
    assert len({event["postId"] for event in impressions}) == len(impressions) == 30
