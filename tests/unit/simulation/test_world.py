from collections.abc import Collection, Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulation.errors import ApiError, BrokenPathError
from simulation.journal import Journal
from simulation.people import populate
from simulation.pictures.catalogue import Picture, topics
from simulation.scale import SMOKE
from simulation.world import SEEDED, SeedingResult, World, seed_world
from tests.doubles.silent_stages import SilentStages

NOW = datetime(2025, 11, 3, 12, tzinfo=UTC)
SCALE = replace(SMOKE, readers=12, creators=4, photos=30, sessions=30)


def _picture(number: int, data: bytes = b"") -> Picture:
    topic = topics()[number % len(topics())]
    return Picture(data or f"picture {number}".encode(), "image/jpeg", topic, (f"Number {number}",), (topic, "more"))


def _pictures(done: Collection[int]) -> Generator[tuple[int, Picture], None, None]:
    return ((number, _picture(number)) for number in range(SCALE.photos) if number not in done)


def _broken_pictures(_: Collection[int]) -> Generator[tuple[int, Picture], None, None]:
    return ((number, _picture(number, b"broken")) for number in range(SCALE.photos))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return _reopened(tmp_path)


def _reopened(folder: Path) -> Journal:
    return Journal(folder / "world.jsonl", seed=3, scale=SCALE, now=NOW)


def _seed(api: Any, journal: Journal, fake_time: Any, pictures: Any = _pictures) -> SeedingResult:
    with api.client() as client:
        return seed_world(client, journal, pictures, SilentStages(), fake_time.polling())


def test_seeding_creates_users_photos_and_events(api: Any, journal: Journal, fake_time: Any) -> None:
    seeded = _seed(api, journal, fake_time)

    assert len(api.users) == SCALE.readers + SCALE.creators
    assert len(api.photos) == len(seeded.photos) == SCALE.photos
    assert all(photo["status"] == "ready" for photo in api.photos.values())
    assert seeded.failures == ()
    assert seeded.events_accepted == len(api.events) > 500
    assert max(len(batch) for batch in api.batches) <= 500
    assert journal.has(SEEDED)


def test_sign_ups_follows_posts_and_impressions_are_dated_in_that_order(
    api: Any, journal: Journal, fake_time: Any
) -> None:
    _seed(api, journal, fake_time)

    first_post = min(photo["createdAt"] for photo in api.photos.values())
    follows = [event for event in api.batches[0] if event["type"] == "follow"]
    assert max(user["createdAt"] for user in api.users.values()) < min(event["occurredAt"] for event in follows)
    assert max(event["occurredAt"] for event in follows) < first_post
    assert first_post < min(event["occurredAt"] for event in api.events if event["type"] == "impression")
    assert max(photo["createdAt"] for photo in api.photos.values()) > (NOW - timedelta(days=1)).isoformat()


def test_only_creators_post_and_every_tenth_post_is_a_reel(api: Any, journal: Journal, fake_time: Any) -> None:
    world = _seed(api, journal, fake_time).world
    creators = {world.people[index] for index in range(SCALE.creators)}

    assert {photo["ownerId"] for photo in api.photos.values()} <= creators
    assert all(photo["caption"] and photo["tags"][0] in topics() for photo in api.photos.values())
    assert sum(photo["contentType"] == "reel" for photo in api.photos.values()) == SCALE.photos / 10


def test_the_first_photos_can_be_seen_before_the_others_are_posted(api: Any, tmp_path: Path, fake_time: Any) -> None:
    scale, seen = replace(SCALE, first_photos=8), list[tuple[int, int]]()
    journal = Journal(tmp_path / "first.jsonl", seed=3, scale=scale, now=NOW)

    def first_feed(world: World) -> None:
        seen.append((len(world.people), sum(photo["status"] == "ready" for photo in api.photos.values())))

    with api.client() as client:
        seed_world(client, journal, _pictures, SilentStages(), fake_time.polling(), first_feed=first_feed)
    assert seen == [(SCALE.readers + SCALE.creators, 8)]
    assert len(api.photos) == SCALE.photos


def test_nobody_posts_a_caption_that_somebody_has_posted(api: Any, tmp_path: Path, fake_time: Any) -> None:
    def alike(done: Collection[int]) -> Generator[tuple[int, Picture], None, None]:
        captions = tuple(f"Caption {number}" for number in range(SCALE.photos))
        return ((number, replace(picture, captions=captions)) for number, picture in _pictures(done))

    api.photo_limit = 17
    with pytest.raises(ApiError, match="the disk is full"):
        _seed(api, _reopened(tmp_path), fake_time, alike)
    api.photo_limit = None
    _seed(api, _reopened(tmp_path), fake_time, alike)
    assert len({photo["caption"] for photo in api.photos.values()}) == SCALE.photos


def test_an_interrupted_seeding_resumes_without_repeating_anything(api: Any, tmp_path: Path, fake_time: Any) -> None:
    api.photo_limit = 17
    with pytest.raises(ApiError, match="the disk is full"):
        _seed(api, _reopened(tmp_path), fake_time)
    api.photo_limit = None

    seeded = _seed(api, _reopened(tmp_path), fake_time)

    assert len(api.users) == SCALE.readers + SCALE.creators
    assert len(api.photos) == SCALE.photos
    assert len({event["id"] for event in api.events}) == len(api.events) == seeded.events_accepted


def test_a_seeded_world_is_read_back_from_its_journal(api: Any, tmp_path: Path, fake_time: Any) -> None:
    seeded = _seed(api, _reopened(tmp_path), fake_time)
    found = World.of(_reopened(tmp_path))

    assert found.people == seeded.world.people
    assert [p.handle for p in found.population.people] == [p.handle for p in seeded.world.population.people]


def test_a_taken_handle_gets_a_number(api: Any, journal: Journal, fake_time: Any) -> None:
    handle = populate(3, SCALE.readers, SCALE.creators, topics()).people[2].handle
    api.users["somebody"] = {"id": "somebody", "handle": handle}

    _seed(api, journal, fake_time)

    assert f"{handle}_2" in {user["handle"] for user in api.users.values()}


def test_a_failed_photo_is_reported_and_appears_in_no_event(api: Any, journal: Journal, fake_time: Any) -> None:
    def one_broken(_: Collection[int]) -> Generator[tuple[int, Picture], None, None]:
        return ((number, _picture(number, b"broken" if number == 4 else b"")) for number in range(SCALE.photos))

    seeded = _seed(api, journal, fake_time, one_broken)

    assert len(seeded.failures) == 1
    assert seeded.failures[0].endswith("is failed: This is not an image.")
    assert journal.photos[4].id not in {event.get("postId") for event in api.events}


def test_seeding_fails_if_no_photo_becomes_ready(api: Any, journal: Journal, fake_time: Any) -> None:
    with pytest.raises(BrokenPathError, match=r"none of 30 photos became ready: .*This is not an image"):
        _seed(api, journal, fake_time, _broken_pictures)


def test_stalled_photo_processing_is_an_error(api: Any, journal: Journal, fake_time: Any) -> None:
    api._photo = lambda _request, _body, photo: httpx.Response(200, json=api.photos[photo] | {"status": "processing"})

    with pytest.raises(BrokenPathError, match="photos processed: 0 of 30, no progress for 180 s"):
        _seed(api, journal, fake_time)


def test_refused_events_stop_the_seeding(api: Any, journal: Journal, fake_time: Any) -> None:
    refusal = {"index": 0, "id": "e", "code": "actor_not_found", "reason": "nobody"}
    api._events = lambda *_: httpx.Response(202, json={"accepted": 1, "unchanged": 0, "refused": [refusal]})

    with pytest.raises(BrokenPathError, match="1 events were refused, first: actor_not_found: nobody"):
        _seed(api, journal, fake_time)
    assert journal.events_accepted == 0


def test_an_error_other_than_a_taken_handle_stops_the_seeding(api: Any, journal: Journal, fake_time: Any) -> None:
    requests: list[Any] = []

    def refuse(*request: Any) -> httpx.Response:
        requests.append(request)
        assert len(requests) < 5, "the sign-up is repeated"
        return httpx.Response(422, json={"code": "invalid", "detail": "no such date"})

    api._create_user = refuse
    with pytest.raises(ApiError, match="422 invalid: no such date"):
        _seed(api, journal, fake_time)
    assert len(requests) == 1
