import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ingestion.photos.validate import PhotoLimits

Encode = Callable[..., bytes]


@pytest.fixture(scope="session")
def limits() -> PhotoLimits:
    return PhotoLimits(max_bytes=20 * 2**20, max_pixels=60_000_000)


@pytest.fixture(scope="session")
def picture() -> Image.Image:
    """A picture no two of whose corners are alike, so that every turn and mirror shows: 960 x 720."""
    y, x = np.mgrid[0:720, 0:960]
    red = 255 * x / 959
    green = 255 * y / 719
    blue = 128 + 100 * np.sin(x / 15) * np.cos(y / 23)
    return Image.fromarray(np.stack([red, green, blue], axis=-1).astype(np.uint8))


@pytest.fixture(scope="session")
def encode() -> Encode:
    def encode(image: Image.Image, image_format: str, **options: Any) -> bytes:
        file = io.BytesIO()
        image.save(file, image_format, **options)
        return file.getvalue()

    return encode
