import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingestion.photos.process import ProcessedPhoto, process_photo
from ingestion.photos.sizes import FEED_SIZES, ZOOM_SIZES, Outputs, Size, enough_for
from ingestion.photos.validate import PhotoLimits
from ingestion.photos.variants import Variant, make_variants
from tests import photographs

Encode = Callable[..., bytes]

GPS_IFD = 0x8825


def dimensions(image: Image.Image, sizes: tuple[Size, ...] = FEED_SIZES) -> dict[tuple[int, str], tuple[int, int]]:
    return {(v.size, v.format): (v.width, v.height) for v in make_variants(image, Outputs(sizes))}


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((4000, 3000), {150: (150, 150), 640: (640, 480), 1080: (1080, 810)}),
        ((3000, 4000), {150: (150, 150), 640: (640, 853), 1080: (1080, 1440)}),
        ((800, 600), {150: (150, 150), 640: (640, 480), 1080: (800, 600)}),
        ((100, 80), {150: (80, 80), 640: (100, 80), 1080: (100, 80)}),
        ((12_000, 1000), {150: (150, 150), 640: (640, 53), 1080: (1080, 90)}),
        ((1000, 20_000), {150: (150, 150), 640: (128, 2560), 1080: (216, 4320)}),
    ],
)
def test_sizes_fit_and_never_enlarge(size: tuple[int, int], expected: dict[int, tuple[int, int]]) -> None:
    image = Image.new("RGB", size).resize(enough_for(FEED_SIZES, *size))
    found = dimensions(image)
    for pixels, wanted in expected.items():
        for variant_format in ("jpeg", "webp"):
            width, height = found[pixels, variant_format]
            assert abs(width - wanted[0]) <= 1
            assert abs(height - wanted[1]) <= 1


def test_the_zoom_size_bounds_the_long_edge() -> None:
    assert dimensions(Image.new("RGB", (3000, 4000)), ZOOM_SIZES)[3840, "jpeg"] == (2880, 3840)


def test_files_are_what_they_claim_and_are_named_by_their_content(picture: Image.Image) -> None:
    variants = make_variants(picture)
    assert [(v.size, v.format) for v in variants] == [(s, f) for s in (1080, 640, 320, 150) for f in ("jpeg", "webp")]
    for variant in variants:
        with Image.open(io.BytesIO(variant.data)) as image:
            assert (image.format, image.size) == (variant.format.upper(), (variant.width, variant.height))
        assert hashlib.sha256(variant.data).hexdigest() in variant.key
        assert variant.key.endswith(".jpg" if variant.media_type == "image/jpeg" else ".webp")


@pytest.mark.parametrize(("size", "edge"), [(150, 150), (320, 300)])
def test_thumbnails_are_squares_that_show_the_middle(size: int, edge: int) -> None:
    image = Image.new("RGB", (900, 300), "black")
    image.paste("red", (300, 0, 600, 300))
    thumbnail = next(v for v in make_variants(image) if v.size == size)
    assert (thumbnail.width, thumbnail.height) == (edge, edge)
    pixels = np.asarray(Image.open(io.BytesIO(thumbnail.data)))
    assert pixels[..., 0].min() > 200
    assert pixels[..., 1:].max() < 60


def chunks_of(variant: Variant) -> set[bytes]:
    """Markers of a JPEG up to its pixels, or chunk names of a WebP."""
    data = variant.data
    names: set[bytes] = set()
    if variant.format == "jpeg":
        at = 2
        while data[at + 1] != 0xDA:
            names.add(data[at + 1 : at + 2])
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        return names
    at = 12
    while at < len(data):
        names.add(data[at : at + 4])
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return names


JPEG_ONLY_PIXELS = {b"\xe0", b"\xdb", b"\xc0", b"\xc4"}  # JFIF, tables, frame


def assert_bare(photo: ProcessedPhoto, *secrets: bytes) -> None:
    for variant in photo.variants:
        allowed = JPEG_ONLY_PIXELS if variant.format == "jpeg" else {b"VP8 "}
        assert chunks_of(variant) <= allowed
        for secret in (b"Exif", b"http://ns.adobe.com", b"ICC_PROFILE", *secrets):
            assert secret not in variant.data


@pytest.mark.parametrize("photo_format", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_no_metadata_of_any_kind_is_delivered(
    photo_format: str, picture: Image.Image, encode: Encode, limits: PhotoLimits
) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SecretMaker"
    exif.get_ifd(GPS_IFD).update({1: "N", 2: (48.0, 51.0, 29.0), 3: "E", 4: (2.0, 17.0, 40.0)})
    extra = {"comment": b"SecretComment"} if photo_format == "JPEG" else {}
    data = encode(picture, photo_format, exif=exif, xmp=b"<x:xmpmeta>SecretPacket</x:xmpmeta>", **extra)
    assert b"SecretMaker" in data
    assert_bare(process_photo(data, limits), b"SecretMaker", b"SecretComment", b"SecretPacket")


@pytest.mark.parametrize("name", photographs.NAMES)
def test_no_location_of_a_photograph_is_delivered(name: str, limits: PhotoLimits) -> None:
    data = photographs.of_a_phone(photographs.photograph(name))
    assert Image.open(io.BytesIO(data)).getexif().get_ifd(GPS_IFD)
    assert_bare(process_photo(data, limits), b"GPS", b"ACME", b"Phone 3")


def test_no_location_of_a_real_camera_is_delivered(samples: Path, limits: PhotoLimits) -> None:
    paths = sorted((samples / "photos" / "gps").iterdir())
    assert len(paths) == 4
    for path in paths:
        data = path.read_bytes()
        assert Image.open(io.BytesIO(data)).getexif().get_ifd(GPS_IFD)
        assert_bare(process_photo(data, limits), b"GPS", b"NIKON")


def test_the_same_photo_gives_the_same_bytes(picture: Image.Image, encode: Encode, limits: PhotoLimits) -> None:
    data = encode(picture, "JPEG")
    assert process_photo(data, limits) == process_photo(data, limits)


def test_optional_avif_is_made_in_the_sizes_of_feeds(picture: Image.Image) -> None:
    variants = make_variants(picture, Outputs(avif=True))
    avif = [variant for variant in variants if variant.format == "avif"]
    assert [variant.size for variant in avif] == [1080, 640]
    for variant in avif:
        assert variant.key.endswith(".avif")
        with Image.open(io.BytesIO(variant.data)) as image:
            assert (image.format, image.size) == ("AVIF", (variant.width, variant.height))
            assert not image.getexif()


def test_a_photo_no_larger_than_a_feed_shows_has_its_zoom_size_at_once(
    picture: Image.Image, encode: Encode, limits: PhotoLimits
) -> None:
    small = {v.size: v.key for v in process_photo(encode(picture, "JPEG"), limits).variants if v.format == "jpeg"}
    assert small[3840] == small[1080]
    large = process_photo(encode(picture.resize((1920, 1440)), "JPEG"), limits)
    assert 3840 not in {variant.size for variant in large.variants}
