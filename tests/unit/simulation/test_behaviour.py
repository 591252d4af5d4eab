import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from simulation.behaviour import ClientEvent, SeenPost, Slate, utilities, view_slate
from simulation.people import Person, Population, appeal, populate

NOW = datetime(2025, 11, 3, 12, tzinfo=UTC)
TOPICS = tuple(f"topic{number}" for number in range(10))
ENGAGED = ("like", "comment", "save", "share")

Ranker = Callable[[Person, Sequence[SeenPost], Generator], NDArray[np.intp]]


@pytest.fixture(scope="module")
def population() -> Population:
    return populate(11, 150, 30, TOPICS)


@pytest.fixture(scope="module")
def posts(population: Population) -> list[SeenPost]:
    rng = np.random.default_rng(1)
    return [_post(population, number, rng) for number in range(500)]


def _post(population: Population, number: int, rng: Generator) -> SeenPost:
    author = int(rng.integers(len(population.creators)))
    creator = population.creators[author]
    topic = int(rng.choice(len(TOPICS), p=creator.topic_weights))
    return SeenPost(
        id=f"post{number:07d}",
        author_id=f"user{author:07d}",
        creator=author,
        topic=topic,
        topic_name=TOPICS[topic],
        appeal=appeal(creator, population.people[author].handle, str(number)),
        is_reel=number % 10 == 9,
        brightness=float(rng.uniform(0.2, 0.8)),
        aspect=float(rng.choice([0.8, 1.0, 4 / 3])),
        posted_at=NOW - timedelta(days=float(rng.uniform(0, 5))),
    )


def _by_truth(person: Person, posts: Sequence[SeenPost], _: Generator) -> NDArray[np.intp]:
    return np.argsort(-utilities(person, posts, NOW))


def _by_time(_: Person, posts: Sequence[SeenPost], __: Generator) -> NDArray[np.intp]:
    return np.argsort([-post.posted_at.timestamp() for post in posts])


def _shuffled(_: Person, posts: Sequence[SeenPost], rng: Generator) -> NDArray[np.intp]:
    return rng.permutation(len(posts))


def _engagement(ranker: Ranker, population: Population, posts: Sequence[SeenPost], sessions: int = 600) -> float:
    rng = np.random.default_rng(2)
    engaged = 0
    for number in range(sessions):
        person = population.people[int(rng.integers(len(population.people)))]
        pool = [posts[int(index)] for index in rng.choice(len(posts), 60, replace=False)]
        slate = Slate(str(number), [pool[int(index)] for index in ranker(person, pool, rng)[:20]])
        engaged += sum(event["type"] in ENGAGED for event in view_slate(person, slate, NOW, rng))
    return engaged / sessions


def test_a_better_order_earns_more_engagement(population: Population, posts: list[SeenPost]) -> None:
    truth = _engagement(_by_truth, population, posts)
    chronological = _engagement(_by_time, population, posts)
    shuffled = _engagement(_shuffled, population, posts)

    assert truth > 2 * chronological  # there is something to learn
    assert chronological > 1.1 * shuffled  # and freshness counts


def test_what_stands_lower_is_engaged_with_less(population: Population, posts: list[SeenPost]) -> None:
    rng, shown, dwelt = np.random.default_rng(3), Counter[int](), Counter[int]()
    for number in range(400):
        slate = Slate(str(number), [posts[int(index)] for index in rng.choice(len(posts), 20, replace=False)])
        for event in view_slate(population.people[number % 100], slate, NOW, rng):
            if event["type"] == "impression":
                shown[int(event["position"])] += 1
            if event["type"] == "dwell":
                dwelt[int(event["position"])] += 1

    assert shown[0] > 1.5 * shown[10]  # people leave
    assert dwelt[0] / shown[0] > 1.3 * dwelt[10] / shown[10]  # and look less closely further down


def test_every_kind_of_feedback_occurs_and_likes_stay_rare(population: Population, posts: list[SeenPost]) -> None:
    rng, seen = np.random.default_rng(4), Counter[str]()
    for number in range(1500):
        slate = Slate(str(number), [posts[int(index)] for index in rng.choice(len(posts), 20, replace=False)])
        seen.update(str(e["type"]) for e in view_slate(population.people[number % 180], slate, NOW, rng))

    assert seen.keys() == {
        "impression", "dwell", "open", "like", "save", "comment", "share", "hide", "profile_visit", "follow",
    }  # fmt: skip
    assert 0.04 < seen["like"] / seen["impression"] < 0.2
    assert seen["share"] < seen["save"] < seen["like"]


def _session(population: Population, posts: Sequence[SeenPost], seed: int = 7) -> list[ClientEvent]:
    return view_slate(population.people[40], Slate("slate", posts), NOW, np.random.default_rng(seed))


def test_events_are_what_the_api_takes_in_order_of_time(population: Population, posts: list[SeenPost]) -> None:
    events = [event for seed in range(50) for event in _session(population, posts[:20], seed)]
    fields = {"id", "type", "occurredAt", "slateId", "position", "source", "postId", "personId", "dwellMs", "text"}

    for event in events:
        assert event.keys() <= fields
        assert ("personId" in event) == (event["type"] in {"profile_visit", "follow"})
        assert ("postId" in event) == ("personId" not in event)
        assert ("dwellMs" in event) == (event["type"] == "dwell")
        assert ("text" in event) == (event["type"] == "comment")
    one = _session(population, posts[:20])
    times = [str(event["occurredAt"]) for event in one]
    assert times == sorted(times)
    assert datetime.fromisoformat(times[0]) >= NOW
    assert [e["position"] for e in one if e["type"] == "impression"][:2] == [0, 1]


def test_ids_are_unique_version_7_and_sort_by_time(population: Population, posts: list[SeenPost]) -> None:
    events = _session(population, posts[:20])
    ids = [uuid.UUID(str(event["id"])) for event in events]

    assert len(set(ids)) == len(ids)
    assert {one.version for one in ids} == {7}
    stamps = [one.int >> 80 for one in ids]
    assert stamps == [round(datetime.fromisoformat(str(e["occurredAt"])).timestamp() * 1000) for e in events]


def test_a_session_replayed_sends_the_same_events(population: Population, posts: list[SeenPost]) -> None:
    assert _session(population, posts[:20]) == _session(population, posts[:20])


def test_what_is_liked_saved_and_followed_is_not_so_again(population: Population, posts: list[SeenPost]) -> None:
    known = [replace(post, liked=True, saved=True, followed=True, appeal=5.0) for post in posts[:20]]
    done = {event["type"] for seed in range(40) for event in _session(population, known, seed)}

    assert {"open", "profile_visit"} <= done
    assert not done & {"like", "save", "follow"}


def test_posts_of_strangers_are_looked_at_too(population: Population, posts: list[SeenPost]) -> None:
    strangers = [replace(post, creator=None, topic=None, topic_name="", appeal=0.0) for post in posts[:5]]

    assert _session(population, strangers)
    assert _session(population, []) == []
