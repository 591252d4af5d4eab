"""Writes HEIF files box by box (ISO/IEC 23008-12), with items as cameras have them and pillow-heif does not write."""

import io
import struct
from dataclasses import dataclass, field
from typing import Any

import pillow_heif
from PIL import Image

from ingestion.photos.boxes import boxes

HIDDEN = 1


def box(kind: bytes, *content: bytes) -> bytes:
    """A box."""
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_box(kind: bytes, version: int, flags: int, *content: bytes) -> bytes:
    """A box with a version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *content)


def nclx(primaries: int, transfer: int, matrix: int, *, is_full_range: bool = True) -> bytes:
    """A colour space by numbers."""
    return box(b"colr", b"nclx", struct.pack(">HHHB", primaries, transfer, matrix, 0x80 * is_full_range))


def size_property(width: int, height: int) -> bytes:
    """The width and height of an item."""
    return full_box(b"ispe", 0, 0, struct.pack(">II", width, height))


def grid_data(rows: int, columns: int, width: int, height: int) -> bytes:
    """The content of an item that is a grid of tiles."""
    return struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)


@dataclass(frozen=True, slots=True)
class Item:
    """An item: its type, content and properties (boxes)."""

    kind: bytes
    data: bytes
    properties: tuple[bytes, ...]
    flags: int = 0


def coded(image: Image.Image, **options: Any) -> Item:
    """A picture as an HEVC item, with the properties of its decoder and its size."""
    file = io.BytesIO()
    pillow_heif.from_pillow(image).save(file, quality=95, **options)
    return item_of(file.getvalue())


def item_of(data: bytes) -> Item:
    """The only item of a file."""
    pixels = next(data[one.start : one.end] for one in boxes(data) if one.kind == b"mdat")
    meta = next(one for one in boxes(data) if one.kind == b"meta")
    properties = next(one for one in boxes(data, meta.start + 4, meta.end) if one.kind == b"iprp")
    container = next(one for one in boxes(data, properties.start, properties.end) if one.kind == b"ipco")
    wanted = (b"hvcC", b"av1C", b"ispe", b"pixi")
    kept = [
        box(one.kind, data[one.start : one.end])
        for one in boxes(data, container.start, container.end)
        if one.kind in wanted
    ]
    kind = b"av01" if any(one[4:8] == b"av1C" for one in kept) else b"hvc1"
    return Item(kind, pixels, tuple(kept))


@dataclass(slots=True)
class HeifWriter:
    """Collects items and their references. Items are numbered from 1 in the order in which they are added."""

    brands: tuple[bytes, ...] = (b"heic", b"mif1", b"heic")
    items: list[Item] = field(default_factory=list)
    references: list[tuple[bytes, int, tuple[int, ...]]] = field(default_factory=list)

    def add(self, item: Item) -> int:
        """Add an item; returns its number."""
        self.items.append(item)
        return len(self.items)

    def refer(self, kind: bytes, source: int, *targets: int) -> None:
        """Add a reference from an item to others."""
        self.references.append((kind, source, targets))

    def file(self, primary: int) -> bytes:
        """The file, whose primary item has the number `primary`."""
        start = box(b"ftyp", self.brands[0], bytes(4), *self.brands[1:])
        meta = self._meta(primary, 0)  # its length does not depend on where the pixels are
        meta = self._meta(primary, len(start) + len(meta) + 8)
        return start + meta + box(b"mdat", *(item.data for item in self.items))

    def _meta(self, primary: int, data_at: int) -> bytes:
        handler = full_box(b"hdlr", 0, 0, bytes(4), b"pict", bytes(13))
        entries = [
            full_box(b"infe", 2, item.flags, struct.pack(">HH4s", number, 0, item.kind), b"\0")
            for number, item in enumerate(self.items, 1)
        ]
        references = [
            box(kind, struct.pack(f">HH{len(targets)}H", source, len(targets), *targets))
            for kind, source, targets in self.references
        ]
        return full_box(
            b"meta",
            0,
            0,
            handler,
            full_box(b"pitm", 0, 0, struct.pack(">H", primary)),
            full_box(b"iinf", 0, 0, struct.pack(">H", len(entries)), *entries),
            full_box(b"iref", 0, 0, *references),
            self._properties(),
            self._locations(data_at),
        )

    def _properties(self) -> bytes:
        known = list(dict.fromkeys(one for item in self.items for one in item.properties))
        associations = b"".join(
            struct.pack(">HB", number, len(item.properties))
            + bytes(
                known.index(one) + 1 | (0x80 if one[4:8] in (b"hvcC", b"av1C", b"irot", b"imir", b"clap") else 0)
                for one in item.properties
            )
            for number, item in enumerate(self.items, 1)
        )
        return box(
            b"iprp",
            box(b"ipco", *known),
            full_box(b"ipma", 0, 0, struct.pack(">I", len(self.items)), associations),
        )

    def _locations(self, at: int) -> bytes:
        extents = []
        for number, item in enumerate(self.items, 1):
            extents.append(struct.pack(">HHHII", number, 0, 1, at, len(item.data)))
            at += len(item.data)
        return full_box(b"iloc", 0, 0, struct.pack(">HH", 0x4400, len(extents)), *extents)
