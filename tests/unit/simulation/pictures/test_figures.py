from collections.abc import Callable

import numpy as np
import pytest

from simulation.pictures.figures import Place, angler, cat, cyclist, dog, kite, person, photographer
from simulation.pictures.trees import Shapes

WIDTH, HEIGHT = 290, 320
PLACE = Place(x=110, foot=300, size=100)
FIGURES: dict[str, Callable[[np.random.Generator, Shapes], None]] = {
    "angler": lambda rng, shapes: angler(rng, shapes, PLACE),
    "cat": lambda _, shapes: cat(shapes, PLACE),
    "cyclist": lambda rng, shapes: cyclist(rng, shapes, PLACE),
    "dog": lambda rng, shapes: dog(rng, shapes, PLACE),
    "kite": lambda rng, shapes: kite(rng, shapes, PLACE, room=140),
    "person": lambda rng, shapes: person(rng, shapes, PLACE, walking=True),
    "photographer": lambda rng, shapes: photographer(rng, shapes, PLACE),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_stands_on_its_feet_whole_in_the_picture(name: str) -> None:
    for seed in range(10):
        shapes = Shapes(HEIGHT, WIDTH)
        FIGURES[name](np.random.default_rng(seed), shapes)
        mask = shapes.mask()
        rows = np.flatnonzero(mask.any(axis=1))
        assert 295 <= rows[-1] <= 304
        assert rows[-1] - rows[0] > 80
        assert not mask[:, 0].any()
        assert not mask[:, -1].any()


def test_a_figure_that_faces_left_is_mirrored() -> None:
    masks = []
    for facing in (1, -1):
        shapes = Shapes(HEIGHT, WIDTH)
        cat(shapes, Place(x=WIDTH / 2, foot=300, size=100, facing=facing))
        masks.append(shapes.mask())
    assert np.abs(masks[0] - masks[1][:, ::-1]).mean() < 0.01
