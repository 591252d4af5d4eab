"""Noise and filters of painted pictures."""

import numpy as np
import pytest

from simulation.pictures.noise import blur


@pytest.mark.parametrize("radius", [2.0, 7.5, 40.0])
def test_a_blurred_edge_has_no_halo(radius: float) -> None:
    sharp = np.zeros((3, 90, 120), np.float32)
    sharp[:, 30:60, 40:80] = 0.8
    blurred = blur(sharp, radius)
    assert blurred.shape == sharp.shape
    assert blurred.min() >= 0
    assert blurred.max() <= np.float32(0.8) + 1e-6
    assert ((blurred > 0.1) & (blurred < 0.7)).any()
    assert abs(float(blurred.mean()) - float(sharp.mean())) < 0.02
