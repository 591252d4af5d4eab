"""Images that tests upload, and the keys they upload them to."""

import io
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image


def picture(seed: int = 0, size: tuple[int, int] = (640, 480)) -> bytes:
    """A JPEG of coloured noise, different for each seed."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)).resize(size)
    file = io.BytesIO()
    coarse.save(file, "JPEG", quality=85)
    return file.getvalue()


def upload_key_of(ticket: dict[str, Any]) -> str:
    """The key in object storage that the address of an initiated upload writes."""
    address: str = ticket["uploadUrl"]
    return urlsplit(address).path.split("/", 2)[2]
