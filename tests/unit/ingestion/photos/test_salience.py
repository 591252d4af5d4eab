"""Squares are cropped around the subject."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from ingestion.photos.salience import square_focus
from ingestion.photos.sizes import Outputs
from ingestion.photos.variants import make_variants
from simulation.pictures.photographs import PHOTOGRAPHS, take

EDGE = 300


def backdrop(width: int, height: int) -> Image.Image:
    """An out-of-focus wall with sensor noise."""
    random = np.random.default_rng(5)
    light = np.linspace(100, 110, width)[None, :, None] + random.normal(0, 2, (height, width, 3))
    return Image.fromarray(light.astype(np.uint8))


def subject(number: int) -> Image.Image:
    """A packaged photograph, scaled to the edge of the square."""
    return take(np.random.default_rng(number), PHOTOGRAPHS[number]).resize((EDGE, EDGE))


def photo_with_subject(number: int, where: float, *, tall: bool) -> Image.Image:
    """A 3:1 photo whose subject begins at `where` (0 to 1) of the free length."""
    long_edge = 3 * EDGE
    page = backdrop(EDGE, long_edge) if tall else backdrop(long_edge, EDGE)
    start = round(where * (long_edge - EDGE))
    mask = Image.new("L", (EDGE, EDGE))
    mask.paste(255, (30, 30, EDGE - 30, EDGE - 30))
    page.paste(subject(number), (0, start) if tall else (start, 0), mask.filter(ImageFilter.GaussianBlur(6)))
    return page


@pytest.mark.parametrize("tall", [False, True], ids=["wide", "tall"])
@pytest.mark.parametrize("where", [0.0, 0.2, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("number", range(len(PHOTOGRAPHS)))
def test_the_subject_stays_in_the_square(number: int, where: float, tall: bool) -> None:
    focus = square_focus(photo_with_subject(number, where, tall=tall))
    assert focus == pytest.approx(where, abs=0.1)  # a tenth of the free length: a fifth of the square


@pytest.mark.parametrize("size", [(900, 300), (300, 900), (300, 300), (301, 300), (20, 1), (1, 20), (1, 1), (3000, 20)])
def test_without_a_subject_the_square_is_in_the_middle(size: tuple[int, int]) -> None:
    for picture in (Image.new("RGB", size, "white"), backdrop(*size), Image.effect_noise(size, 3).convert("RGB")):
        assert square_focus(picture) == pytest.approx(0.5, abs=0.1)


def test_all_squares_of_a_photo_show_the_same_part() -> None:
    photo = photo_with_subject(3, 1.0, tall=False).resize((2700, 900))
    squares = {
        variant.size: variant.data
        for variant in make_variants(photo, Outputs())
        if variant.format == "jpeg" and variant.size in (150, 320)
    }
    first, second = (np.asarray(decoded(data).resize((50, 50)), float) for data in squares.values())
    assert np.abs(first - second).mean() < 4  # of 255: lossy files
    assert first.std() > 20  # the subject, not the wall


def decoded(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")
