"""HEIF pictures, narrowed as they are taken over from their decoder.

pillow-heif's plugin hands Pillow a copy of all pixels while its own are still there: at 48 megapixels, 144 MB and
192 MB. Taken over in strips of rows the copy is never larger than what is wanted.
"""

import numpy as np
import pillow_heif
from PIL import Image

from ingestion.photos.shrinking import narrowed

_STRIP_ROWS = 128


def read_narrowed(data: bytes, width: int) -> tuple[Image.Image, bytes | None]:
    """The primary picture of a file at `width` (not larger than its own) and its full height, and its colour profile.

    The decoder has turned it upright and brought it to 8 bits. Damage raises what pillow-heif raises.
    """
    container = pillow_heif.open_heif(data, convert_hdr_to_8bit=True, remove_stride=False)
    photo = container[container.primary_index]
    pixels, stride = np.frombuffer(photo.data, np.uint8), photo.stride  # decoded now: size and mode may change
    page = Image.new(photo.mode, (width, photo.size[1]))
    for top in range(0, page.height, _STRIP_ROWS):
        rows = min(_STRIP_ROWS, page.height - top)
        part = pixels[top * stride : (top + rows) * stride]
        strip = Image.frombuffer(photo.mode, (photo.size[0], rows), part, "raw", photo.mode, stride, 1)
        page.paste(narrowed(strip, width), (0, top))
    return page, photo.info.get("icc_profile")
