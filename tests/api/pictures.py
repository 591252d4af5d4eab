"""Pictures that tests upload."""

import io

import numpy as np
from PIL import Image


def picture(seed: int = 0, size: tuple[int, int] = (640, 480)) -> bytes:
    """A JPEG of coloured noise, different for each seed."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)).resize(size)
    file = io.BytesIO()
    coarse.save(file, "JPEG", quality=85)
    return file.getvalue()
