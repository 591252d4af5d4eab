import numpy as np

from simulation.pictures.trees import Shapes


def test_a_mask_covers_its_shape_in_the_whole_picture() -> None:
    shapes = Shapes(height=31, width=41)
    shapes.polygon(np.array([[5.5, 7.5], [20.0, 7.5], [20.0, 15.0], [5.5, 15.0]]))
    mask = shapes.mask()
    assert mask.shape == (31, 41)
    assert (mask[9:14, 7:19] == 1).all()
    assert mask[:7].max() == mask[17:].max() == mask[:, :5].max() == mask[:, 22:].max() == 0


def test_nothing_drawn_covers_nothing() -> None:
    assert not Shapes(height=8, width=9).mask().any()
