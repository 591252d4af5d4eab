import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from simulation.behaviour import ClientEvent, PostView, Slate, utilities, view_slate
from simulation.people import Person, Population, appeal, populate

NOW = datetime(2025, 11, 3, 12, tzinfo=UTC)
TOPICS = tuple(f"topic{number}" for number in range(10))
ENGAGED = ("like", "comment", "save", "share")

Ranker = Callable[[Person, Sequence[PostView], Generator], NDArray[np.intp]]


@pytest.fixture(scope="module")
def population() -> Population:
    return populate(11, 150, 30, TOPICS)


@pytest.fixture(scope="module")
def posts(population: Population) -> list[PostView]:
    rng = np.random.default_rng(1)
    return [_post(population, number, rng) for number in range(500)]


def _post(population: Population, number: int, rng: Generator) -> PostView:
    author = int(rng.integers(len(population.creators)))
    creator = population.creators[author]
    topic = int(rng.choice(len(TOPICS), p=creator.topic_weights))
    return PostView(
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


def _by_truth(person: Person, posts: Sequence[PostView], _: Generator) -> NDArray[np.intp]:
    return np.argsort(-utilities(person, posts, NOW))


def _by_time(_: Person, posts: Sequence[PostView], __: Generator) -> NDArray[np.intp]:
    return np.argsort([-post.posted_at.timestamp() for post in posts])


def _shuffled(_: Person, posts: Sequence[PostView], rng: Generator) -> NDArray[np.intp]:
    return rng.permutation(len(posts))


def _engagement(ranker: Ranker, population: Population, posts: Sequence[PostView], sessions: int = 600) -> float:
    rng = np.random.default_rng(2)
    engaged = 0
    for number in range(sessions):
        person = population.people[int(rng.integers(len(population.people)))]
        pool = [posts[int(index)] for index in rng.choice(len(posts), 60, replace=False)]
        slate = Slate(str(number), [pool[int(index)] for index in ranker(person, pool, rng)[:20]])
        engaged += sum(event["type"] in ENGAGED for event in view_slate(person, slate, NOW, rng))
    return engaged / sessions


def test_a_better_order_earns_more_engagement(population: Population, posts: list[PostView]) -> None:
    truth = _engagement(_by_truth, population, posts)
    chronological = _engagement(_by_time, population, posts)
    shuffled = _engagement(_shuffled, population, posts)

    assert truth > 2 * chronological  # there is something to learn
    assert chronological > 1.1 * shuffled  # and freshness counts


def test_lower_positions_get_fewer_impressions_and_less_attention(
    population: Population, posts: list[PostView]
) -> None:
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


def test_every_action_occurs_and_likes_are_rare(population: Population, posts: list[PostView]) -> None:
    rng, seen = np.random.default_rng(4), Counter[str]()
    for number in range(1500):
        slate = Slate(str(number), [posts[int(index)] for index in rng.choice(len(posts), 20, replace=False)])
        seen.update(str(e["type"]) for e in view_slate(population.people[number % 180], slate, NOW, rng))

    assert seen.keys() == {
        "impression", "dwell", "open", "like", "save", "comment", "share", "hide", "profile_visit", "follow",
    }  # fmt: skip
    assert 0.04 < seen["like"] / seen["impression"] < 0.2
    assert seen["share"] < seen["save"] < seen["like"]


def _session(population: Population, posts: Sequence[PostView], seed: int = 7) -> list[ClientEvent]:
    return view_slate(population.people[40], Slate("slate", posts), NOW, np.random.default_rng(seed))


def test_events_have_the_fields_of_the_api_and_are_in_order_of_time(
    population: Population, posts: list[PostView]
) -> None:
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


def test_ids_are_unique_version_7_and_sort_by_time(population: Population, posts: list[PostView]) -> None:
    events = _session(population, posts[:20])
    ids = [uuid.UUID(str(event["id"])) for event in events]

    assert len(set(ids)) == len(ids)
    assert {one.version for one in ids} == {7}
    stamps = [one.int >> 80 for one in ids]
    assert stamps == [round(datetime.fromisoformat(str(e["occurredAt"])).timestamp() * 1000) for e in events]


def test_a_replayed_session_has_the_same_events(population: Population, posts: list[PostView]) -> None:
    assert _session(population, posts[:20]) == _session(population, posts[:20])


def test_nothing_is_liked_saved_or_followed_twice(population: Population, posts: list[PostView]) -> None:
    known = [replace(post, liked=True, saved=True, followed=True, appeal=5.0) for post in posts[:20]]
    done = {event["type"] for seed in range(40) for event in _session(population, known, seed)}

    assert {"open", "profile_visit"} <= done
    assert not done & {"like", "save", "follow"}


def test_posts_by_unknown_authors_get_events(population: Population, posts: list[PostView]) -> None:
    strangers = [replace(post, creator=None, topic=None, topic_name="", appeal=0.0) for post in posts[:5]]

    assert _session(population, strangers)
    assert _session(population, []) == []


def _actions(person: Person, posts: Sequence[PostView], sessions: int = 300) -> Counter[str]:
    """Actions of many sessions of a patient person with the same posts."""
    patient = replace(person, patience=1.0)
    events = (
        event
        for seed in range(sessions)
        for event in view_slate(patient, Slate("slate", posts), NOW, np.random.default_rng(seed))
    )
    return Counter(str(event["type"]) for event in events)


def test_a_repeated_author_earns_less_engagement(population: Population, posts: list[PostView]) -> None:
    one_author = [posts[0]] * 12
    many_authors = [replace(posts[0], author_id=f"user{number}") for number in range(12)]

    repeated, distinct = (_actions(population.people[0], some) for some in (one_author, many_authors))
    assert repeated["like"] < 0.7 * distinct["like"]


def test_a_profile_is_visited_once_per_session(population: Population, posts: list[PostView]) -> None:
    interesting = [replace(posts[0], id=str(number), appeal=5.0) for number in range(10)]

    for seed in range(20):
        events = view_slate(population.people[0], Slate("slate", interesting), NOW, np.random.default_rng(seed))
        assert sum(event["type"] == "profile_visit" for event in events) <= 1
    assert _actions(population.people[0], interesting, sessions=20)["profile_visit"] > 10


def test_good_posts_are_liked_and_bad_ones_hidden(population: Population, posts: list[PostView]) -> None:
    good, bad = (_actions(population.people[0], [replace(posts[0], appeal=appeal)]) for appeal in (2.0, -2.0))

    assert good["like"] > 5 * bad["like"]
    assert bad["hide"] > 5 * max(good["hide"], 1)


def test_savers_save_and_sociable_people_comment_and_share(population: Population, posts: list[PostView]) -> None:
    person = replace(population.people[0], saving=0.0, sociability=0.0)
    plain, saver, sociable = (
        _actions(each, posts[:10]) for each in (person, replace(person, saving=1.5), replace(person, sociability=1.5))
    )

    assert saver["save"] > 2 * plain["save"]
    assert sociable["comment"] > 2 * plain["comment"]
    assert sociable["share"] > 2 * plain["share"]


def test_dwell_grows_with_utility_and_is_at_most_a_minute(population: Population, posts: list[PostView]) -> None:
    def dwell(post: PostView) -> list[int]:
        slates = (
            view_slate(population.people[0], Slate("s", [post]), NOW, np.random.default_rng(n)) for n in range(200)
        )
        return [int(event["dwellMs"]) for events in slates for event in events if event["type"] == "dwell"]

    bad, good, best = (dwell(replace(posts[0], appeal=appeal)) for appeal in (-2.0, 2.0, 20.0))
    assert np.median(good) > 2 * np.median(bad)
    assert (min(bad) >= 300, max(best)) == (True, 60_000)


def test_utility_is_the_sum_of_tastes_appeal_and_freshness(population: Population, posts: list[PostView]) -> None:
    person = population.people[0]
    plain = replace(posts[0], creator=None, topic=None, appeal=0.0, is_reel=False, brightness=0.5, aspect=1.0)
    changes: list[tuple[dict[str, object], float]] = [
        ({"creator": 3}, person.creator_taste[3]),
        ({"topic": 4}, person.topic_taste[4]),
        ({"appeal": 0.7}, 0.7),
        ({"is_reel": True}, person.reel_taste),
        ({"brightness": 1.0}, person.brightness_taste),
        ({"aspect": np.e}, person.width_taste),
        ({"posted_at": NOW}, 1.1 * (1 - 2 ** (-(NOW - plain.posted_at).total_seconds() / 86_400))),
    ]

    changed = [replace(plain, **change) for change, _ in changes]  # type: ignore[arg-type]
    values = utilities(person, [plain, *changed], NOW)
    np.testing.assert_allclose(values[1:] - values[0], [difference for _, difference in changes])
