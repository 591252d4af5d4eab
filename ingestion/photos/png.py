"""PNG files: their chunks, read before Pillow reads the file.

Pillow refuses valid files for metadata that is not used here (large texts and profiles), and does not report every
chunk that states colours.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, PngImagePlugin

from ingestion.photos.colour import ColourSpace

_SIGNATURE = 8
_OVERHEAD = 12  # length, type and checksum of a chunk
_ANCILLARY = 0x20  # the bit of a type's first byte that says a decoder may skip the chunk
# Of the ancillary chunks, those that are used, with their length if that is fixed; and texts that hold EXIF or XMP.
_USED = {
    b"tRNS": None, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"iCCP": None, b"eXIf": None,
    b"acTL": 8, b"fcTL": 26, b"fdAT": None,
}  # fmt: skip
_COLOURS = frozenset((b"gAMA", b"cHRM", b"sRGB", b"cICP", b"iCCP"))
_TEXTS = frozenset((b"tEXt", b"zTXt", b"iTXt"))
_USED_TEXTS = (b"Raw profile type exif", b"Raw profile type APP1", b"XML:com.adobe.xmp")
_MOST_TEXT_BYTES = PngImagePlugin.MAX_TEXT_CHUNK


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk: its type, and where it starts (with its length) and ends (with its checksum)."""

    kind: bytes
    start: int
    end: int

    def content(self, data: bytes) -> memoryview:
        """Its bytes."""
        return memoryview(data)[self.start + 8 : self.end - 4]


def chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks of a file; the last one may be cut off."""
    at = _SIGNATURE
    while at + _OVERHEAD <= len(data):
        end = at + _OVERHEAD + int.from_bytes(data[at : at + 4], "big")
        yield Chunk(data[at + 4 : at + 8], at, end)
        at = end


def without_unused_chunks(data: bytes) -> bytes:
    """The file without chunks that are not used, or that are too large or too damaged for Pillow.

    The same object if there are none of them.
    """
    kept = [(0, _SIGNATURE)]
    for chunk in chunks(data):
        if _is_kept(chunk, data):
            if kept[-1][1] == chunk.start:
                kept[-1] = (kept[-1][0], chunk.end)
            else:
                kept.append((chunk.start, chunk.end))
    if len(kept) == 1 and kept[0][1] >= len(data):
        return data
    view = memoryview(data)
    return b"".join(view[start:end] for start, end in kept)


def scale_key(data: bytes, photo: Image.Image) -> None:
    """Scale the transparent colour of a loaded file like its pixels: Pillow leaves it at the file's bit depth."""
    key, bits = photo.info.get("transparency"), data[24]
    if photo.mode == "L" and isinstance(key, int) and bits < 8:  # noqa: PLR2004
        photo.info["transparency"] = key * 255 // ((1 << bits) - 1)
    elif photo.mode == "RGB" and isinstance(key, tuple) and bits == 16:  # noqa: PLR2004
        photo.info["transparency"] = tuple(sample >> 8 for sample in key)


def colour_space(data: bytes) -> ColourSpace | None:
    """The colour space that the file states without a profile, by the precedence of PNG's third edition.

    cICP is first, then a profile, then sRGB, then gAMA with cHRM. None if a profile or nothing is stated.
    """
    stated = (chunk for chunk in chunks(data) if chunk.kind in _COLOURS and _is_kept(chunk, data))
    found = {chunk.kind: bytes(chunk.content(data)) for chunk in stated}
    if b"cICP" in found:
        return ColourSpace.of_numbers(found[b"cICP"][0], found[b"cICP"][1])
    gamma = int.from_bytes(found.get(b"gAMA", b""), "big") / 100_000
    if b"iCCP" in found or b"sRGB" in found or not gamma:
        return None
    return ColourSpace.of_gamma(gamma, _chromaticities(found[b"cHRM"]) if b"cHRM" in found else None)


def _is_kept(chunk: Chunk, data: bytes) -> bool:
    if not chunk.kind[0] & _ANCILLARY or chunk.end > len(data):
        return True
    content = chunk.content(data)
    if chunk.kind in _TEXTS:
        return _is_used_text(chunk.kind, content) and _is_intact(chunk, data)
    if chunk.kind not in _USED or _USED[chunk.kind] not in (None, len(content)) or not _is_intact(chunk, data):
        return False
    return chunk.kind != b"iCCP" or _is_small(_after_nul(content))


def _is_intact(chunk: Chunk, data: bytes) -> bool:
    view = memoryview(data)
    stated = int.from_bytes(view[chunk.end - 4 : chunk.end], "big")
    return zlib.crc32(view[chunk.start + 4 : chunk.end - 4]) == stated


def _is_used_text(kind: bytes, content: memoryview) -> bool:
    """Whether it holds EXIF or XMP, no more than Pillow reads."""
    if not bytes(content[: max(map(len, _USED_TEXTS))]).startswith(_USED_TEXTS) or len(content) > _MOST_TEXT_BYTES:
        return False
    rest = _after_nul(content)
    if kind == b"zTXt":
        return _is_small(rest)
    is_compressed = kind == b"iTXt" and bytes(rest[:1]) == b"\x01"
    # The method, the language and the translated keyword precede the text.
    return not is_compressed or _is_small(b"\0" + bytes(_after_nul(_after_nul(rest[2:]))))


def _after_nul(content: memoryview) -> memoryview:
    end = bytes(content).find(b"\0")
    return content[len(content) :] if end < 0 else content[end + 1 :]


def _is_small(compressed: bytes | memoryview) -> bool:
    """Whether bytes that were compressed are intact, and no more than Pillow reads. The first one names the method."""
    try:
        size = len(zlib.decompressobj().decompress(compressed[1:], _MOST_TEXT_BYTES + 1))
    except zlib.error:
        return False
    return bytes(compressed[:1]) == b"\0" and size <= _MOST_TEXT_BYTES


def _chromaticities(content: bytes) -> tuple[float, ...] | None:
    """Those of cHRM, which starts with white, in the order of `ColourSpace`; None if they are not possible."""
    numbers = [int.from_bytes(content[at : at + 4], "big") / 100_000 for at in range(0, len(content), 4)]
    is_possible = all(y > 0 and x + y <= 1 for x, y in zip(numbers[::2], numbers[1::2], strict=True))
    return tuple(numbers[2:] + numbers[:2]) if is_possible else None
