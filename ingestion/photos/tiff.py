"""TIFF files: whether one is a camera's raw file. Most makers' raw files are TIFF inside."""

from collections.abc import Iterator
from typing import Literal

_MAKE, _SUB_FILES, _COMPRESSION, _PHOTOMETRIC, _DNG_VERSION = 271, 330, 259, 262, 50706
# Colour filter array, and LinearRaw of DNG.
_RAW_PHOTOMETRIC = frozenset((32803, 34892))
# Of Sony, Nikon, Pentax and Samsung, Kodak.
_RAW_COMPRESSION = frozenset((32767, 32769, 32770, 32772, 34713, 65000, 65535))
_MOST_ENTRIES = 1000
_FORMATS = {
    "NIKON": "Nikon NEF",
    "SONY": "Sony ARW",
    "CANON": "Canon CR2",
    "PENTAX": "Pentax PEF",
    "RICOH": "Pentax PEF",
    "SAMSUNG": "Samsung SRW",
    "HASSELBLAD": "Hasselblad 3FR",
    "EASTMAN KODAK": "Kodak DCR",
    "KODAK": "Kodak DCR",
    "SEIKO EPSON": "Epson ERF",
    "LEICA": "Leica RWL",
    "PHASE ONE": "Phase One IIQ",
    "MAMIYA": "Mamiya MEF",
    "LEAF": "Leaf MOS",
    "OLYMPUS": "Olympus ORF",
    "PANASONIC": "Panasonic RW2",
}

_Order = Literal["little", "big"]


def raw_name(data: bytes) -> str | None:
    """The name of a raw format; empty if the file cannot be told from a TIFF; None if it is a TIFF."""
    if data[8:10] == b"CR":
        return _FORMATS["CANON"]
    if data[8:12] in (b"IIII", b"MMMM"):
        return _FORMATS["PHASE ONE"]
    order: _Order = "little" if data.startswith(b"II") else "big"
    tags = dict(_tags(data, order))
    if not tags:
        return ""
    if _DNG_VERSION in tags:
        return "DNG"
    make = _text(data, tags.get(_MAKE), order)
    is_raw = (
        _short(tags.get(_PHOTOMETRIC), order) in _RAW_PHOTOMETRIC
        or _short(tags.get(_COMPRESSION), order) in _RAW_COMPRESSION
        or (bool(make) and _SUB_FILES in tags)
    )
    if not is_raw:
        return None
    return next((name for start, name in _FORMATS.items() if make.upper().startswith(start)), make or "DNG")


def _tags(data: bytes, order: _Order) -> Iterator[tuple[int, bytes]]:
    """The tags of the first directory, each with the eight bytes of its count and value."""
    start = int.from_bytes(data[4:8], order)
    count = int.from_bytes(data[start : start + 2], order)
    for at in range(start + 2, start + 2 + 12 * min(count, _MOST_ENTRIES), 12):
        if at + 12 > len(data):
            return
        yield int.from_bytes(data[at : at + 2], order), data[at + 4 : at + 12]


def _text(data: bytes, entry: bytes | None, order: _Order) -> str:
    if entry is None:
        return ""
    count = int.from_bytes(entry[:4], order)
    start = int.from_bytes(entry[4:], order)
    content = entry[4:8] if count <= 4 else data[start : start + min(count, 80)]  # noqa: PLR2004  the bytes of a value
    return "".join(character for character in content.decode("ascii", "replace") if character.isprintable()).strip()


def _short(entry: bytes | None, order: _Order) -> int | None:
    return None if entry is None else int.from_bytes(entry[4:6], order)
