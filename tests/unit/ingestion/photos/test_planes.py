"""Large photos are shrunk as planes of luma and chroma. The result must look like Pillow's from RGB."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from ingestion.photos.heif import read_heif
from ingestion.photos.jpeg import read_jpeg

Encode = Callable[..., bytes]

SIZES = [(957, 715), (900, 672), (500, 374), (97, 72)]


def difference(image: Image.Image, data: bytes) -> float:
    whole = Image.open(io.BytesIO(data)).convert("RGB").resize(image.size, Image.Resampling.LANCZOS)
    return float(np.abs(np.asarray(image.convert("RGB"), dtype=int) - np.asarray(whole, dtype=int)).mean())


@pytest.fixture(scope="module")
def odd(picture: Image.Image) -> Image.Image:
    """Of odd width and height, which planes of half the size do not divide."""
    return picture.crop((0, 0, 957, 715))


@pytest.mark.parametrize("size", SIZES[:3])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_a_jpeg_by_planes_is_the_one_pillow_shrinks(
    subsampling: str, size: tuple[int, int], odd: Image.Image, encode: Encode
) -> None:
    data = encode(odd, "JPEG", quality=95, subsampling=subsampling, progressive=size[0] == 900)
    image = read_jpeg(data, size, most_rgb_pixels=0).image
    assert image.size == size
    assert difference(image, data) < 1.5


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_a_jpeg_without_luma_and_chroma_is_decoded_as_it_is(mode: str, odd: Image.Image, encode: Encode) -> None:
    data = encode(odd.convert(mode), "JPEG", quality=95, keep_rgb=True)
    image = read_jpeg(data, (500, 374), most_rgb_pixels=0).image
    assert image.mode == mode
    assert difference(image, data) < 1.5


@pytest.mark.parametrize("is_full_range", [False, True])
@pytest.mark.parametrize("matrix", [0, 1, 2, 6, 9])  # ITU-T H.273: RGB, BT.709, unspecified, BT.601, BT.2020
@pytest.mark.parametrize("chroma", [420, 422, 444])
def test_a_heic_has_the_colours_pillow_shows_however_it_is_coded(
    chroma: int, matrix: int, is_full_range: bool, odd: Image.Image, encode: Encode
) -> None:
    coding = {"chroma": chroma, "matrix_coefficients": matrix, "full_range_flag": int(is_full_range)}
    data = encode(odd.crop((0, 0, 301, 201)), "HEIF", quality=90, **coding)
    image = read_heif(data, (150, 100)).image
    assert difference(image, data) < 1.5


@pytest.mark.parametrize("size", SIZES)
def test_a_heic_has_its_colours_at_any_size(size: tuple[int, int], odd: Image.Image, encode: Encode) -> None:
    data = encode(odd, "HEIF", quality=90)
    image = read_heif(data, size).image
    assert image.size == size
    assert difference(image, data) < 1.5


def test_a_heic_keeps_its_colour_profile(odd: Image.Image, encode: Encode) -> None:
    profile = bytes(range(128)) * 3
    assert read_heif(encode(odd, "HEIF", icc_profile=profile), (97, 72)).profile == profile
    assert read_heif(encode(odd, "HEIF"), (97, 72)).profile is None
