"""The markers of JPEG files (ITU-T T.81, annex B)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Starts of frames that are decoded in one pass, and of those that are decoded in several; starts of scans.
SEQUENTIAL, PROGRESSIVE, SCAN = (0xC0, 0xC1, 0xC9), (0xC2, 0xCA), 0xDA
_END_OF_IMAGE = 0xD9
_LENGTH_BYTES = 2  # of a segment, counted in its length
# Without stuffed bytes, restarts, and other markers that stand alone.
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker that has a length: its number, what follows the length, and where it starts."""

    kind: int
    content: bytes
    start: int


def next_marker(data: bytes, start: int) -> int:
    """Where the next marker is; the end of the file if there is none. Coded pixels are skipped."""
    found = _MARKER.search(data, start)
    return len(data) if found is None else found.start()


def segments(data: bytes) -> Iterator[Segment]:
    """The segments of a file, up to the end of the picture."""
    at = 2
    while (start := next_marker(data, at)) < len(data):
        at = start + 2
        length = int.from_bytes(data[at : at + 2], "big")
        if data[at - 1] == _END_OF_IMAGE or length < _LENGTH_BYTES or at + length > len(data):
            return
        yield Segment(data[at - 1], data[at + 2 : at + length], start)
        at += length


def is_progressive(data: bytes) -> bool:
    """Whether the pixels are decoded in several passes."""
    frames = (one.kind for one in segments(data) if one.kind in (*SEQUENTIAL, *PROGRESSIVE))
    return next((kind in PROGRESSIVE for kind in frames), False)
