"""PNG files that are valid and unusual."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.photo_cases.chart import Space, chart, points, samples_in
from tools.photo_cases.manifest import Case, Point, given
from tools.photo_cases.references import of_image

_GREY, _RGB, _PALETTE = 0, 2, 3
_MEGABYTE = 2**20
_DELTA_E = 1.5


def chunk(kind: bytes, content: bytes, *, is_intact: bool = True) -> bytes:
    """A chunk; its checksum is wrong unless `is_intact`."""
    checksum = zlib.crc32(kind + content) ^ (0 if is_intact else 1)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(rows: NDArray[np.uint8], size: tuple[int, int], bits: int, colour_type: int, *before: bytes) -> bytes:
    """A file of `rows`, which are the bytes of each row of pixels, with chunks before the pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, bits, colour_type, 0, 0, 0))
    filtered = np.pad(rows, ((0, 0), (1, 0)))  # the first byte of a row is its filter: none
    pixels = chunk(b"IDAT", zlib.compress(filtered.tobytes()))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + pixels + chunk(b"IEND", b"")


def _rgb(image: Image.Image, *before: bytes) -> bytes:
    return png(np.asarray(image).reshape(image.height, -1), image.size, 8, _RGB, *before)


def _deep(space: Space, *before: bytes) -> bytes:
    samples = (samples_in(space) * 65_535 + 0.5).astype(">u2")
    return png(samples.view(np.uint8).reshape(samples.shape[0], -1), chart().size, 16, _RGB, *before)


def cases() -> Iterator[Case]:
    """Colours, transparency and metadata."""
    yield from _colours()
    yield from _transparency()
    yield from _metadata()


def _colours() -> Iterator[Case]:
    gamma_1, gamma_1_8 = (chunk(b"gAMA", struct.pack(">I", round(100_000 / gamma))) for gamma in (1, 1.8))
    p3 = struct.pack(">8I", 31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6000)
    for name, data, most in (
        ("cicp_p3.png", _deep("P3", chunk(b"cICP", bytes((12, 13, 0, 1)))), 1),
        ("cicp_pq.png", _deep("PQ", chunk(b"cICP", bytes((9, 16, 0, 1)))), 6),
        ("cicp_hlg.png", _deep("HLG", chunk(b"cICP", bytes((9, 18, 0, 1)))), 6),
        ("gama_linear.png", _deep("linear", gamma_1), _DELTA_E),
        ("gama_1.8.png", _deep("gamma 1.8", gamma_1_8), _DELTA_E),
        ("gama_chrm_p3.png", _deep("P3 linear", gamma_1, chunk(b"cHRM", p3)), _DELTA_E),
        ("srgb_before_gama.png", _rgb(chart(), chunk(b"sRGB", b"\0"), gamma_1), 1),
        ("gama_zero.png", _rgb(chart(), chunk(b"gAMA", bytes(4))), 1),
    ):
        yield Case(name, given(data), width=640, height=480, points=points(), most_delta_e=most)


def _transparency() -> Iterator[Case]:
    """The left half has the transparent colour, the right half another; the background is white."""
    size = (320, 240)
    for bits in (1, 2, 4, 8, 16):
        top = (1 << bits) - 1
        key, other = (top // 3, top) if bits > 1 else (0, 1)
        samples = np.repeat(np.array([[key] * 160 + [other] * 160]), size[1], axis=0)
        grey = 255 if bits == 1 else 255 * other // top
        yield _half_clear(f"trns_grey{bits}.png", _packed(samples, bits), bits, struct.pack(">H", key), grey)
    pixels = np.repeat(np.array([[(4660, 22_136, 39_612)] * 160 + [(0, 0, 0)] * 160], ">u2"), size[1], axis=0)
    rows = pixels.view(np.uint8).reshape(size[1], -1)
    key_colour = struct.pack(">3H", 4660, 22_136, 39_612)
    data = png(rows, size, 16, _RGB, chunk(b"tRNS", key_colour))
    yield _halves("trns_rgb16.png", data, (255, 255, 255), (0, 0, 0))
    palette = chunk(b"PLTE", bytes((10, 20, 30, 200, 100, 50)))
    indices = np.repeat(np.array([[0] * 160 + [1] * 160], np.uint8), size[1], axis=0)
    data = png(indices, size, 8, _PALETTE, palette, chunk(b"tRNS", b"\0"))
    yield _halves("trns_palette.png", data, (255, 255, 255), (200, 100, 50))


def _half_clear(name: str, rows: NDArray[np.uint8], bits: int, key: bytes, grey: int) -> Case:
    data = png(rows, (320, 240), bits, _GREY, chunk(b"tRNS", key))
    return _halves(name, data, (255, 255, 255), (grey, grey, grey))


def _halves(name: str, data: bytes, left: tuple[int, int, int], right: tuple[int, int, int]) -> Case:
    return Case(name, given(data), points=(Point(80, 120, left), Point(240, 120, right)), most_delta_e=1)


def _packed(samples: NDArray[np.int64], bits: int) -> NDArray[np.uint8]:
    if bits == 16:  # noqa: PLR2004
        return samples.astype(">u2").view(np.uint8).reshape(samples.shape[0], -1)
    unpacked = np.unpackbits(samples.astype(np.uint8)[..., np.newaxis], axis=-1)[..., 8 - bits :]
    return np.packbits(unpacked.reshape(samples.shape[0], -1), axis=1)


def _metadata() -> Iterator[Case]:
    text = b"XML:com.adobe.xmp\0"
    large = zlib.compress(bytes(3 * _MEGABYTE))
    for name, before in (
        ("text_compressed_3mb.png", chunk(b"zTXt", b"Comment\0\0" + large)),
        ("xmp_compressed_3mb.png", chunk(b"iTXt", text + b"\1\0\0\0" + large)),
        ("xmp_3mb.png", chunk(b"iTXt", text + b"\0\0\0\0" + bytes(3 * _MEGABYTE))),
        ("many_texts.png", chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(900_000))) * 80),
        ("profile_8mb.png", chunk(b"iCCP", b"large\0\0" + zlib.compress(bytes(8 * _MEGABYTE)))),
        ("profile_damaged.png", chunk(b"iCCP", b"broken\0\0" + b"not compressed")),
        ("profile_by_another_method.png", chunk(b"iCCP", b"other\0\1" + large)),
        ("text_with_wrong_checksum.png", chunk(b"tEXt", b"Comment\0hello", is_intact=False)),
        ("gamma_of_two_bytes.png", chunk(b"gAMA", b"\0\1")),
        ("private_chunk.png", chunk(b"vpAg", bytes(9))),
    ):
        data = _rgb(chart(), before)
        yield Case(name, given(data), reference=of_image(chart()), least_ssim=0.95)
