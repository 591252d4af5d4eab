import numpy as np
import pytest

from simulation.pictures.painter import LARGE_SCENES, LARGE_SHAPES, SCENES, SHAPES, paint


@pytest.mark.parametrize("topic", SCENES)
def test_a_scene_has_contrast_and_differs_by_seed(topic: str) -> None:
    images = [paint(topic, seed).image for seed in (1, 2)]
    for image in images:
        assert image.mode == "RGB"
        assert image.size in SHAPES
        pixels = np.asarray(image)
        assert pixels.std() > 15  # not blank
        assert 8 < pixels.mean() < 235  # not black, not white
    small = [np.asarray(image.resize((32, 32)), dtype=int) for image in images]
    assert np.abs(small[0] - small[1]).mean() > 8


def test_the_same_seed_paints_the_same_picture() -> None:
    assert paint("sea", 5).image.tobytes() == paint("sea", 5).image.tobytes()


def test_a_large_picture_fills_the_largest_variant() -> None:
    large = paint(LARGE_SCENES[-1], 1, large=True).image
    assert large.size in LARGE_SHAPES
    assert max(large.size) == 3840
