"""Decision 0010: which very large photos are accepted, and the reasons with which others are refused."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from ingestion.photos.rejection import PhotoRejected
from ingestion.photos.sandbox import PhotoSandbox
from ingestion.photos.sizes import FEED_OUTPUTS, ZOOM_OUTPUTS, Outputs
from ingestion.photos.validate import PhotoLimits
from photofeed.settings import Settings

LARGE = (16_320, 12_240)  # the 200-megapixel mode of phones


@pytest.fixture(scope="module")
def jpegs() -> dict[str, bytes]:
    """The same 200-megapixel picture, sequential and progressive."""
    picture = Image.linear_gradient("L").resize(LARGE)
    files = {}
    for name in ("sequential", "progressive"):
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=80, progressive=name == "progressive")
        files[name] = file.getvalue()
    return files


@pytest.fixture
def sandbox(limits: PhotoLimits) -> Iterator[PhotoSandbox]:
    with PhotoSandbox(limits) as sandbox:
        yield sandbox


def peak_mb(sandbox: PhotoSandbox) -> float:
    status = Path(f"/proc/{sandbox.pid}/status").read_text()
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert match
    return int(match[1]) / 1000


def test_a_sequential_jpeg_of_200_megapixels_is_made_in_little_memory(
    sandbox: PhotoSandbox, jpegs: dict[str, bytes]
) -> None:
    photo = sandbox.process(jpegs["sequential"])
    assert (photo.header.width, photo.header.height) == LARGE
    assert {(v.size, v.width) for v in photo.variants} == {(150, 150), (320, 320), (640, 640), (1080, 1080)}
    assert peak_mb(sandbox) < 200


def test_its_zoom_size_is_made_within_the_memory_of_a_worker(limits: PhotoLimits, jpegs: dict[str, bytes]) -> None:
    with PhotoSandbox(limits, ZOOM_OUTPUTS) as sandbox:
        assert {v.width for v in sandbox.process(jpegs["sequential"]).variants} == {3840}
        assert peak_mb(sandbox) < 250


def test_a_progressive_one_is_refused_with_its_size_and_the_limit(
    sandbox: PhotoSandbox, jpegs: dict[str, bytes]
) -> None:
    with pytest.raises(PhotoRejected, match="200 megapixels; 60 are allowed") as rejected:
        sandbox.process(jpegs["progressive"])
    assert rejected.value.code == "too_many_pixels"
    assert peak_mb(sandbox) < 200


def test_cameras_of_61_megapixels_are_within_the_limit_of_every_format() -> None:
    assert PhotoLimits.of(Settings()).max_pixels >= 9528 * 6328


def test_sequential_jpegs_have_a_limit_too(jpegs: dict[str, bytes]) -> None:
    with (
        PhotoSandbox(PhotoLimits(20 * 2**20, 40_000_000)) as sandbox,
        pytest.raises(PhotoRejected, match="200 megapixels; 160 are allowed") as rejected,
    ):
        sandbox.process(jpegs["sequential"])
    assert rejected.value.code == "too_many_pixels"


@pytest.fixture(scope="module")
def usual() -> dict[str, bytes]:
    """A picture of 48 megapixels, which phones write as JPEG or as HEIC."""
    picture = Image.linear_gradient("L").resize((8000, 6000)).convert("RGB")
    files = {}
    for name, options in (("JPEG", {}), ("HEIF", {"enc_params": {"preset": "ultrafast"}})):
        file = io.BytesIO()
        picture.save(file, name, quality=60, **options)
        files[name] = file.getvalue()
    return files


@pytest.mark.parametrize("outputs", [FEED_OUTPUTS, ZOOM_OUTPUTS])
@pytest.mark.parametrize("photo_format", ["JPEG", "HEIF"])
def test_48_megapixels_fit_into_the_memory_of_a_worker(
    photo_format: str, outputs: Outputs, limits: PhotoLimits, usual: dict[str, bytes]
) -> None:
    with PhotoSandbox(limits, outputs) as sandbox:
        assert sandbox.process(usual[photo_format]).header.width == 8000
        assert peak_mb(sandbox) < 250
