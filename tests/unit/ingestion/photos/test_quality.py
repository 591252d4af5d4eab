import pytest
from PIL import Image, ImageFilter

from ingestion.photos.quality import measure_quality


def test_a_blurred_photo_is_less_sharp(picture: Image.Image) -> None:
    sharp = measure_quality(picture.filter(ImageFilter.FIND_EDGES)).sharpness
    assert measure_quality(picture.filter(ImageFilter.GaussianBlur(8))).sharpness < sharp / 4


def test_sharpness_does_not_depend_on_the_resolution_of_the_file(picture: Image.Image) -> None:
    large = picture.resize((3840, 2880), Image.Resampling.BICUBIC)
    assert measure_quality(large).sharpness == pytest.approx(measure_quality(picture).sharpness, rel=0.2)


def test_brightness_runs_from_black_to_white() -> None:
    assert measure_quality(Image.new("RGB", (50, 50), "black")).brightness == 0
    assert measure_quality(Image.new("RGB", (50, 50), "white")).brightness == 1


def test_a_flat_picture_has_no_entropy_and_a_ramp_has_eight_bits() -> None:
    assert measure_quality(Image.new("RGB", (64, 64), "teal")).entropy == 0
    assert measure_quality(Image.linear_gradient("L").convert("RGB")).entropy == pytest.approx(8, abs=0.01)


def test_aspect_is_width_by_height() -> None:
    assert measure_quality(Image.new("RGB", (300, 200))).aspect == 1.5


def test_a_single_pixel_has_no_sharpness() -> None:
    assert measure_quality(Image.new("RGB", (1, 1))).sharpness == 0
