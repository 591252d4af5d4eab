"""JPEG files that lack their end marker: panoramas of some phones, and files that lost their last bytes.

libjpeg fills missing pixels with grey and only warns. So the file is decoded twice: once ended as it is, and once with
other bytes before the end. If pixels are missing, the bytes become pixels and the two pictures differ.
"""

import random

from ingestion.photos.decoder import open_photo
from ingestion.photos.formats import PhotoFormat
from ingestion.photos.jpeg_markers import PROGRESSIVE, SCAN, SEQUENTIAL, is_progressive, next_marker, segments

_END = b"\xff\xd9"
# No marker is among them. Long enough to code several rows of blocks in any picture.
_OTHER = bytes(random.Random(7).choices(range(255), k=1 << 16))
_COEFFICIENTS = range(64)
_SCAN_BYTES = 4  # of a scan's header, and two for each component


def with_end_marker(data: bytes) -> bytes | None:
    """The file up to its last pixels, with an end marker; None if pixels are missing.

    Raises:
        OSError: the file is damaged.
    """
    end = _end_of_scans(data)
    if end is None:
        return None
    pixels = data[:end].rstrip(b"\xff")
    ended = pixels + _END
    return ended if _pixels(ended) == _pixels(pixels + _OTHER + _END) else None


def _pixels(data: bytes) -> bytes:
    """The pixels at a smaller size at which missing ones show.

    Files with one scan are decoded at an eighth, where each block of 8 x 8 coefficients is a pixel. The last scan of
    progressive files has only finer coefficients, which show at half the size.
    """
    shrinking = 2 if is_progressive(data) else 8
    with open_photo(data, PhotoFormat.JPEG) as photo:
        photo.draft(None, (max(1, photo.width // shrinking), max(1, photo.height // shrinking)))
        photo.load()
        return photo.tobytes()


def _end_of_scans(data: bytes) -> int | None:
    """Where coded pixels end: before the first marker after every coefficient had its last bit in some scan.

    None if there are fewer scans. Phones' trailers, which may look like markers, come after it.
    """
    bits: dict[tuple[int, int], int] = {}
    components = b""
    for segment in segments(data):
        content = segment.content
        if segment.kind in (*SEQUENTIAL, *PROGRESSIVE):
            components = content[6::3][: content[5]]
        elif segment.kind == SCAN:
            count = content[0] if content else 0
            if len(content) < _SCAN_BYTES + 2 * count:
                return None
            first, last, position = content[1 + 2 * count : 4 + 2 * count]
            for component in content[1 : 1 + 2 * count : 2]:
                bits.update({(component, place): position & 15 for place in range(first, last + 1)})
            if all(bits.get((component, place)) == 0 for component in components for place in _COEFFICIENTS):
                return next_marker(data, segment.start + 4 + len(content))
    return None
