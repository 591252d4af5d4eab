"""The path of a demo from an empty folder to a feed that is ranked by the model."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from simulation.api_client import ApiClient
from simulation.errors import BrokenPathError
from simulation.journal import Journal
from simulation.painting import Paintings
from simulation.path import RankedWorld, build_ranked_world
from simulation.scale import Scale
from tests.doubles.silent_stages import SilentStages

NOW = datetime(2025, 11, 3, 12, tzinfo=UTC)
SCALE = Scale(readers=6, creators=3, photos=4, sessions=10, days=2, celebrity_followers=5, followed_share=0.7)


@dataclass
class FakePhotofeed:
    """A running photofeed whose commands are only recorded. Its workers count a share of the events."""

    client: ApiClient
    api: Any
    commands: list[tuple[str, ...]] = field(default_factory=list)
    counted_share: float = 1.0

    def counted_events(self) -> int:
        return int(len(self.api.events) * self.counted_share)

    def archived_events(self) -> int:
        return len(self.api.events)

    def command(self, *arguments: str) -> None:
        self.commands.append(arguments)


@pytest.fixture
def running(api: Any) -> FakePhotofeed:
    return FakePhotofeed(api.client(), api)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(SCALE.photos):
        Image.new("RGB", (8, 8), (60 * number, 0, 0)).save(folder / f"{number}.png")
    return folder


def _build(running: Any, photos: Path, fake_time: Any) -> RankedWorld:
    journal = Journal(photos.parent / "world.jsonl", seed=4, scale=SCALE, now=NOW + timedelta(seconds=fake_time.now))
    return build_ranked_world(
        running, journal, Paintings(4, SCALE.photos, photos).missing, SilentStages(), fake_time.polling()
    )


def test_a_new_world_is_seeded_and_its_ranker_trained(
    api: Any, running: FakePhotofeed, photos: Path, fake_time: Any
) -> None:
    ranked = _build(running, photos, fake_time)

    assert ranked.seeding is not None
    assert len(ranked.seeding.photos) == SCALE.photos
    assert set(ranked.world.people.values()) == set(api.users)
    assert running.commands == [("train", "--promote")]


def test_a_second_run_repeats_nothing(api: Any, running: FakePhotofeed, photos: Path, fake_time: Any) -> None:
    first = _build(running, photos, fake_time)
    sent = len(api.events)
    again = _build(running, photos, fake_time)

    assert again.seeding is None
    assert again.world.people == first.world.people
    assert running.commands == [("train", "--promote")]
    assert len(api.events) == sent


def test_training_waits_until_the_events_are_counted(running: FakePhotofeed, photos: Path, fake_time: Any) -> None:
    running.counted_share = 0.9

    with pytest.raises(BrokenPathError, match=r"events counted and archived: \d+ of \d+, no progress for 90 s"):
        _build(running, photos, fake_time)
    assert running.commands == []


def test_a_failed_training_is_repeated_by_the_next_run(running: FakePhotofeed, photos: Path, fake_time: Any) -> None:
    class FailedTraining(FakePhotofeed):
        def command(self, *arguments: str) -> None:
            raise BrokenPathError(f"{arguments[0]} failed")

    with pytest.raises(BrokenPathError, match="train failed"):
        _build(FailedTraining(running.client, running.api), photos, fake_time)
    _build(running, photos, fake_time)

    assert running.commands == [("train", "--promote")]


def test_a_feed_that_the_model_never_ranks_is_an_error(
    api: Any, running: FakePhotofeed, photos: Path, fake_time: Any
) -> None:
    api.always_ranked_by = "popularity"

    with pytest.raises(BrokenPathError, match="feeds ranked by the model: 0 of 1, no progress for 90 s"):
        _build(running, photos, fake_time)
