"""The items of a HEIF or AVIF file: which one is the picture, its size, and its colour space (ISO/IEC 23008-12).

A file has one primary item and may have others: tiles, thumbnails, depth and gain maps, further pictures.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor

from ingestion.photos.boxes import Box, boxes
from ingestion.photos.colour import ColourSpace

# An item that has such a reference to another is not a picture of its own: a thumbnail, an auxiliary picture (depth,
# alpha, gain map), or a picture that is to be tone-mapped (ISO 21496-1), which stands for its first source.
_STANDS_FOR = {b"thmb", b"auxl"}
_TONE_MAPPED = b"tmap"
_DERIVED_FROM = b"dimg"
_MOST_STEPS = 8


@dataclass(frozen=True, slots=True)
class Picture:
    """The item that a file shows. `kind` is its type, or that of its tiles; `size` is its coded width and height.

    `size` is None if the file does not state it, and `colour` if it states no colour space by numbers (nclx). `crop` is
    what is shown of the coded pixels, before they are turned: left, top, right and bottom. None if all are shown.
    """

    kind: bytes
    size: tuple[int, int] | None
    colour: ColourSpace | None
    crop: tuple[int, int, int, int] | None


@dataclass(slots=True)
class _Items:
    primary: int | None = None
    primary_at: slice = field(default_factory=lambda: slice(0, 0))
    kinds: dict[int, bytes] = field(default_factory=dict)
    references: dict[tuple[int, bytes], list[int]] = field(default_factory=dict)
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    associations: dict[int, list[int]] = field(default_factory=dict)


def shown_picture(data: bytes) -> Picture | None:
    """The picture that a file shows; None if it has no primary item, as a file that is only a sequence."""
    items = _read(data)
    if items.primary is None:
        return None
    item = _shown_item(items, items.primary)
    tiles = items.references.get((item, _DERIVED_FROM), [])
    kind = items.kinds.get(tiles[0] if tiles else item, b"")
    size = next((_size(content) for content in _properties(items, item, b"ispe")), None)
    colours = (_colour(content) for one in (item, *tiles[:1]) for content in _properties(items, one, b"colr"))
    colour = next((colour for colour in colours if colour is not None), None)
    clean = next(_properties(items, item, b"clap"), None)
    return Picture(kind, size, colour, _crop(clean, size) if clean and size else None)


def with_shown_primary(data: bytes) -> bytes:
    """The file with the shown picture as its primary item, which decoders read; the same object if it is."""
    items = _read(data)
    if items.primary is None or (shown := _shown_item(items, items.primary)) == items.primary:
        return data
    place = items.primary_at
    return data[: place.start] + shown.to_bytes(place.stop - place.start, "big") + data[place.stop :]


def _shown_item(items: _Items, item: int) -> int:
    for _ in range(_MOST_STEPS):  # references may form a ring
        kinds = {_DERIVED_FROM} if items.kinds.get(item) == _TONE_MAPPED else _STANDS_FOR
        targets = [to for kind in kinds for to in items.references.get((item, kind), [])]
        if not targets:
            return item
        item = targets[0]
    return item


def _read(data: bytes) -> _Items:
    items = _Items()
    meta = next((box for box in boxes(data) if box.kind == b"meta"), None)
    if meta is None:
        return items
    for box in boxes(data, meta.start + 4, meta.end):
        match box.kind:
            case b"pitm":
                items.primary_at = slice(box.start + 4, box.start + 4 + _id_bytes(data, box))
                items.primary = int.from_bytes(data[items.primary_at], "big")
            case b"iinf":
                items.kinds = dict(_kinds(data, box))
            case b"iref":
                _read_references(data, box, items)
            case b"iprp":
                _read_properties(data, box, items)
    return items


def _kinds(data: bytes, box: Box) -> Iterator[tuple[int, bytes]]:
    count_bytes = 2 if data[box.start] == 0 else 4
    for entry in boxes(data, box.start + 4 + count_bytes, box.end):
        version = data[entry.start]
        id_bytes = 2 if version == 2 else 4  # noqa: PLR2004  of the box "infe"; versions 0 and 1 have no type
        if version >= 2:  # noqa: PLR2004
            kind_at = entry.start + 4 + id_bytes + 2
            yield _number(data, entry.start + 4, id_bytes), data[kind_at : kind_at + 4]


def _read_references(data: bytes, box: Box, items: _Items) -> None:
    width = _id_bytes(data, box)
    for reference in boxes(data, box.start + 4, box.end):
        source, count = _number(data, reference.start, width), _number(data, reference.start + width, 2)
        start = reference.start + width + 2
        count = min(count, (reference.end - start) // width)
        targets = [_number(data, start + width * index, width) for index in range(count)]
        items.references.setdefault((source, reference.kind), targets)


def _read_properties(data: bytes, box: Box, items: _Items) -> None:
    for child in boxes(data, box.start, box.end):
        if child.kind == b"ipco":
            items.properties = [(one.kind, data[one.start : one.end]) for one in boxes(data, child.start, child.end)]
        elif child.kind == b"ipma":
            _read_associations(data, child, items)


def _read_associations(data: bytes, box: Box, items: _Items) -> None:
    id_bytes = 2 if data[box.start] == 0 else 4
    index_bytes = 2 if data[box.start + 3] & 1 else 1
    essential = 0x8000 if index_bytes == 2 else 0x80  # noqa: PLR2004
    at = box.start + 8
    while at + id_bytes < box.end <= len(data):
        item, count = _number(data, at, id_bytes), data[at + id_bytes]
        at += id_bytes + 1
        indices = [_number(data, at + index_bytes * n, index_bytes) & ~essential for n in range(count)]
        items.associations.setdefault(item, []).extend(indices)
        at += index_bytes * count


def _properties(items: _Items, item: int, kind: bytes) -> Iterator[bytes]:
    for index in items.associations.get(item, []):
        if 1 <= index <= len(items.properties) and items.properties[index - 1][0] == kind:
            yield items.properties[index - 1][1]


def _size(content: bytes) -> tuple[int, int]:
    return _number(content, 4, 4), _number(content, 8, 4)


def _crop(content: bytes, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The box of a clean aperture (ISO/IEC 14496-12, section 12.1.4), which is around the middle plus an offset.

    None if it is not within the picture: libavif and browsers then show all of it.
    """
    numbers = [int.from_bytes(content[at : at + 4], "big", signed=True) for at in range(0, 32, 4)]
    if 0 in numbers[1::2]:
        return None
    width, height, *offsets = (Fraction(*numbers[at : at + 2]) for at in (0, 2, 4, 6))
    left, top = (
        floor(offset + (whole - part) / 2) for offset, whole, part in zip(offsets, size, (width, height), strict=True)
    )
    right, bottom = left + round(width), top + round(height)
    return (left, top, right, bottom) if 0 <= left < right <= size[0] and 0 <= top < bottom <= size[1] else None


def _colour(content: bytes) -> ColourSpace | None:
    if content[:4] != b"nclx":
        return None
    return ColourSpace.of_numbers(_number(content, 4, 2), _number(content, 6, 2))


def _id_bytes(data: bytes, box: Box) -> int:
    """Bytes of an item's number in a box whose version 0 has two."""
    return 2 if data[box.start] == 0 else 4


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")
