"""HEIF pictures, shrunk as they are taken over from their decoder, so that no copy of all pixels is made."""

import numpy as np
import pillow_heif
from PIL import Image

from ingestion.photos.libheif import decoded_planes
from ingestion.photos.planes import Planes, shrunk_plane
from ingestion.photos.shrinking import flattened, narrowed

_STRIP_ROWS = 128


def read_heif(data: bytes, size: tuple[int, int]) -> tuple[Image.Image, bytes | None]:
    """The primary picture of a file at `size` (not larger than its own), and its colour profile.

    The decoder has turned it upright and brought it to 8 bits. Damage raises what libheif and pillow-heif raise.
    """
    with decoded_planes(data) as decoded:
        if decoded is not None:
            luma, blue, red = (
                shrunk_plane(plane, size) for plane in (decoded.planes.luma, decoded.planes.blue, decoded.planes.red)
            )
    if decoded is None:
        return _from_strips(data, size)
    return Planes(luma, blue, red).to_rgb(), decoded.profile


def _from_strips(data: bytes, size: tuple[int, int]) -> tuple[Image.Image, bytes | None]:
    """The picture by pillow-heif, which holds all pixels, narrowed in strips of rows.

    Its plugin for Pillow would hold a second copy.
    """
    container = pillow_heif.open_heif(data, convert_hdr_to_8bit=True, remove_stride=False)
    photo = container[container.primary_index]
    pixels, stride = np.frombuffer(photo.data, np.uint8), photo.stride  # decoded now: size and mode may change
    page = Image.new(photo.mode, (size[0], photo.size[1]))
    for top in range(0, page.height, _STRIP_ROWS):
        rows = min(_STRIP_ROWS, page.height - top)
        part = pixels[top * stride : (top + rows) * stride]
        strip = Image.frombuffer(photo.mode, (photo.size[0], rows), part, "raw", photo.mode, stride, 1)
        page.paste(narrowed(strip, size[0]), (0, top))
    return flattened(page, size[1]), photo.info.get("icc_profile")
