"""Measures of a photo's quality, which the ranker uses as features of the post."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

# Sharpness depends on scale, so it is always measured at this length of the long edge.
LONG_EDGE = 640


@dataclass(frozen=True, slots=True)
class Quality:
    """Measured on luminance, so a tint has no effect.

    `sharpness`: variance of the Laplacian of 8-bit luminance; below about 50 a photo looks blurred.
    `brightness`: mean, 0 to 1. `entropy`: Shannon entropy of the histogram in bits, 0 to 8. `aspect`: width / height.
    """

    sharpness: float
    brightness: float
    entropy: float
    aspect: float


def measure_quality(image: Image.Image) -> Quality:
    """Measure an upright RGB picture."""
    aspect = image.width / image.height
    grey = image.convert("L")
    if max(grey.size) > LONG_EDGE:
        scale = LONG_EDGE / max(grey.size)
        grey = grey.resize((max(1, round(grey.width * scale)), max(1, round(grey.height * scale))))
    luminance = np.asarray(grey, dtype=np.float32)
    counts = np.bincount(np.asarray(grey).ravel(), minlength=256)
    shares = counts[counts > 0] / luminance.size
    return Quality(
        sharpness=_laplacian_variance(luminance),
        brightness=float(luminance.mean()) / 255,
        entropy=abs(float(-(shares * np.log2(shares)).sum())),
        aspect=aspect,
    )


def _laplacian_variance(luminance: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
    """Variance of the response to the four-neighbour Laplacian (Pech-Pacheco et al., 2000); 0 below 3 x 3 pixels."""
    if min(luminance.shape) < 3:  # noqa: PLR2004  the kernel's edge
        return 0.0
    centre = luminance[1:-1, 1:-1]
    response = luminance[:-2, 1:-1] + luminance[2:, 1:-1] + luminance[1:-1, :-2] + luminance[1:-1, 2:] - 4 * centre
    return float(response.var())
