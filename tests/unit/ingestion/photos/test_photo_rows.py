"""What is checked of an upload before it is processed, and what the rows of a processed photo say."""

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from ingestion.photos.formats import PhotoFormat
from ingestion.photos.locked_photo import Upload, _metadata, _outcome, all_variants
from ingestion.photos.metadata import CameraFacts
from ingestion.photos.pipeline import _check
from ingestion.photos.placeholder import Placeholder
from ingestion.photos.process import ProcessedPhoto
from ingestion.photos.quality import Quality
from ingestion.photos.rejection import PhotoRejected
from ingestion.photos.storage import Original, PhotoStorage
from ingestion.photos.validate import Header
from ingestion.photos.variants import Variant
from photofeed.cache_control import IMMUTABLE
from tests.doubles.object_store import InMemoryObjectStore

UPLOAD = Upload(5, Original("key", None, None), None, None, [], None)
DATA = b"the file"
LARGE, SMALL = Variant(1080, "jpeg", 1080, 810, b"large"), Variant(150, "webp", 150, 112, b"small")
CAMERA = CameraFacts("Maker", "Model", "Lens", 0.01, 2.8, 200, 35.0)
PHOTO = ProcessedPhoto(
    header=Header(PhotoFormat.JPEG, 4000, 3000, 1),
    variants=(LARGE, SMALL),
    placeholder=Placeholder("hash", "#0a0b0c"),
    quality=Quality(sharpness=90.0, brightness=0.4, entropy=7.0, aspect=4 / 3),
    camera=CAMERA,
    perceptual_hash=77,
    model_view=b"",
)


@pytest.mark.parametrize("byte_size", [None, len(DATA)])
@pytest.mark.parametrize("sha256", [None, hashlib.sha256(DATA).hexdigest()])
def test_a_file_as_announced_is_processed(byte_size: int | None, sha256: str | None) -> None:
    _check(replace(UPLOAD, byte_size=byte_size, sha256=sha256), DATA)


@pytest.mark.parametrize(
    ("byte_size", "sha256", "reason"),
    [
        (len(DATA) - 1, None, "not as long"),
        (len(DATA) + 1, None, "not as long"),
        (0, None, "not as long"),
        (None, hashlib.sha256(b"another").hexdigest(), "not the one"),
        (len(DATA), hashlib.sha256(b"another").hexdigest(), "not the one"),
    ],
)
def test_a_file_that_is_not_the_announced_one_is_damaged(
    byte_size: int | None, sha256: str | None, reason: str
) -> None:
    with pytest.raises(PhotoRejected, match=reason) as rejected:
        _check(replace(UPLOAD, byte_size=byte_size, sha256=sha256), DATA)
    assert rejected.value.code == "damaged"


def test_stored_variants_may_be_cached_for_ever() -> None:
    objects = InMemoryObjectStore()
    PhotoStorage(objects, "originals", "variants").store([LARGE, SMALL, LARGE])
    stored = {("variants", variant.key): variant for variant in (LARGE, SMALL)}
    assert objects.cache_control == dict.fromkeys(stored, IMMUTABLE)
    for (bucket, key), variant in stored.items():
        assert (objects.get(bucket, key), objects.head(bucket, key).media_type) == (variant.data, variant.media_type)


def test_another_run_replaces_the_sizes_that_it_makes_and_keeps_the_others() -> None:
    zoom = {"size": 3840, "format": "jpeg", "key": "zoom"}
    former = [{"size": 1080, "format": "jpeg", "key": "former"}, zoom]
    made = all_variants(replace(UPLOAD, variants=former), PHOTO.variants).obj
    assert made == [
        {"size": 1080, "format": "jpeg", "key": LARGE.key, "width": 1080, "height": 810, "bytes": 5},
        {"size": 150, "format": "webp", "key": SMALL.key, "width": 150, "height": 112, "bytes": 5},
        zoom,
    ]


@pytest.mark.parametrize(("status", "has_failed"), [("ready", False), ("review", False), ("rejected", True)])
def test_the_row_has_the_largest_size_and_a_failure_only_if_it_was_rejected(status: str, has_failed: bool) -> None:
    row = _outcome(UPLOAD, PHOTO, status)
    assert (row["id"], row["status"], row["width"], row["height"]) == (5, status, 1080, 810)
    assert (row["blurhash"], row["dominant_color"]) == ("hash", "#0a0b0c")
    assert [row[name] is not None for name in ("failure_code", "failure_reason")] == [has_failed] * 2


def test_metadata_are_those_of_the_original_and_its_camera() -> None:
    assert _metadata(5, PHOTO) == {
        "photo_id": 5,
        "width": 4000,
        "height": 3000,
        "camera_make": "Maker",
        "camera_model": "Model",
        "lens": "Lens",
        "exposure_seconds": 0.01,
        "aperture": 2.8,
        "iso": 200,
        "focal_length_mm": 35.0,
        "captured_local": None,
        "utc_offset_minutes": None,
        "phash": 77,
        "sharpness": 90.0,
        "brightness": 0.4,
        "entropy": 7.0,
        "aspect": 4 / 3,
    }


@pytest.mark.parametrize("minutes", [None, 0, 330, -210])
def test_the_time_of_the_camera_keeps_its_offset(minutes: int | None) -> None:
    local = datetime(2026, 3, 1, 12, 30)  # noqa: DTZ001  the camera's own
    zone = None if minutes is None else timezone(timedelta(minutes=minutes))
    camera = replace(CAMERA, captured_at=local.replace(tzinfo=zone))
    row = _metadata(5, replace(PHOTO, camera=camera))
    assert (row["captured_local"], row["utc_offset_minutes"]) == (local, minutes)
