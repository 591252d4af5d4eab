"""The contract of Moderator, on the double and on open_nsfw."""

import numpy as np
import pytest

from ingestion.photos.moderation import Moderator, OpenNsfwModerator, Picture
from ingestion.photos.process import MODEL_EDGE
from tests.doubles.moderator import InMemoryModerator


@pytest.fixture(params=["memory", "open_nsfw"], scope="module")
def moderator(request: pytest.FixtureRequest) -> Moderator:
    return InMemoryModerator(0.25) if request.param == "memory" else OpenNsfwModerator()


@pytest.fixture
def picture() -> Picture:
    return np.random.default_rng(7).integers(0, 256, (MODEL_EDGE, MODEL_EDGE, 3), np.uint8)


def test_a_score_is_a_probability_and_the_same_for_the_same_picture(moderator: Moderator, picture: Picture) -> None:
    scores = {moderator.score(picture) for _ in range(2)}
    assert len(scores) == 1
    assert 0 <= scores.pop() <= 1


def test_any_colours_have_a_score(moderator: Moderator) -> None:
    for colour in (0, 128, 255):
        assert 0 <= moderator.score(np.full((MODEL_EDGE, MODEL_EDGE, 3), colour, np.uint8)) <= 1


def test_a_picture_is_not_changed(moderator: Moderator, picture: Picture) -> None:
    before = picture.copy()
    moderator.score(picture)
    np.testing.assert_array_equal(picture, before)


def test_its_version_names_it(moderator: Moderator) -> None:
    assert moderator.version.strip()
