import numpy as np
import pytest

from simulation.pictures.painter import SCENES, SHAPES, paint


@pytest.mark.parametrize("topic", SCENES)
def test_a_scene_has_contrast_and_differs_by_seed(topic: str) -> None:
    first, second = paint(topic, 1), paint(topic, 2)
    for image in (first, second):
        assert image.mode == "RGB"
        assert image.size in SHAPES
        pixels = np.asarray(image)
        assert pixels.std() > 15  # not blank
        assert 8 < pixels.mean() < 235  # not black, not white
    small = [np.asarray(image.resize((32, 32)), dtype=int) for image in (first, second)]
    assert np.abs(small[0] - small[1]).mean() > 8


def test_the_same_seed_paints_the_same_picture() -> None:
    assert paint("sea", 5).tobytes() == paint("sea", 5).tobytes()
