"""Boxes of ISO base media files (HEIC, HEIF, AVIF): what is needed to detect truncated files and to describe items."""

from collections.abc import Iterator
from dataclasses import dataclass

_SHORT, _LONG = 8, 16  # bytes of a box's header


@dataclass(frozen=True, slots=True)
class Box:
    """A box: its type, and where its content is. `end` may lie beyond the end of a truncated file."""

    kind: bytes
    start: int
    end: int


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes between `start` and `end`, up to the first bytes that are no box: phones append trailers of their own.

    A box whose size is 0 reaches to `end`.
    """
    end = len(data) if end is None else min(end, len(data))
    at = start
    while at + _SHORT <= end:
        kind = data[at + 4 : at + _SHORT]
        if not kind.isascii() or not kind.decode("ascii").isprintable():
            return
        size, header = int.from_bytes(data[at : at + 4], "big"), _SHORT
        if size == 1:
            size, header = int.from_bytes(data[at + 8 : at + _LONG], "big"), _LONG
        elif size == 0:
            size = end - at
        if size < header:
            return
        yield Box(kind, at + header, at + size)
        at += size


def is_truncated(data: bytes) -> bool:
    """Whether a HEIF or AVIF file ends before its boxes do.

    Decoders fill missing parts with grey and report success, so this is checked before decoding.
    """
    found: set[bytes] = set()
    for box in boxes(data):
        if box.end > len(data):
            return True
        found.add(box.kind)
    if b"meta" not in found and b"moov" not in found:
        return True
    # The pixels are in mdat or, for very small pictures, in an idat box within meta.
    return b"mdat" not in found and b"idat" not in data
