"""About 400 files that are broken, or made to break decoders."""

import io
import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageCms

pillow_heif.register_heif_opener()

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF")
_FOREIGN_FORMATS = ("BMP", "TIFF", "ICO", "PPM", "PCX", "TGA", "SGI", "DDS", "EPS", "PDF", "ICNS", "JPEG2000", "DIB")
_MAGIC = {
    "JPEG": b"\xff\xd8\xff\xe0",
    "PNG": b"\x89PNG\r\n\x1a\n",
    "WEBP": b"RIFF\xff\xff\xff\x7fWEBPVP8 ",
    "AVIF": b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00mif1avif",
    "HEIF": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic",
    "GIF": b"GIF89a",
}


def refused_files() -> Iterator[tuple[str, bytes]]:
    """Files that are not valid photos."""
    yield from _cut()
    yield from _foreign()
    yield from _bombs()
    yield from _junk()


def doubtful_files() -> Iterator[tuple[str, bytes]]:
    """Files that may be accepted or refused, as long as one of the two happens."""
    yield from _nonsense_exif()
    yield from _nonsense_profiles()
    yield from _nonsense_boxes()
    yield from _polyglots()
    yield from _flipped()
    yield from _shapes()


def sample_files(samples: Path) -> Iterator[tuple[str, bytes]]:
    """The broken files of real cameras, whole and truncated."""
    for path in sorted((samples / "photos" / "invalid").iterdir()):
        data = path.read_bytes()
        yield path.name, data
        yield f"{path.name} cut", data[: len(data) // 3]


def encoded(image_format: str, size: tuple[int, int] = (160, 120), **options: object) -> bytes:
    """A small photo with some detail."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    pixels = np.stack([x * 255 // size[0], y * 255 // size[1], 128 + 100 * np.sin(x / 9) * np.cos(y / 7)], axis=-1)
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, image_format, **options)
    return file.getvalue()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(width: int, height: int, *, rows: int, extra: bytes = b"") -> bytes:
    """A black 1-bit PNG that claims `height` rows and holds `rows`."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    pixels = _chunk(b"IDAT", zlib.compress(bytes((width + 7) // 8 + 1) * rows))
    return b"\x89PNG\r\n\x1a\n" + header + extra + pixels + _chunk(b"IEND", b"")


def _cut() -> Iterator[tuple[str, bytes]]:
    for image_format in FORMATS:
        whole = encoded(image_format)
        for percent in (*range(0, 100, 5), 99):
            yield f"{image_format} cut at {percent} %", whole[: len(whole) * percent // 100]


def _foreign() -> Iterator[tuple[str, bytes]]:
    for image_format in _FOREIGN_FORMATS:
        yield image_format, encoded(image_format)
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    yield "SVG", svg
    yield "SVG with entities", b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + svg
    yield "SVG after a byte order mark", b"\xef\xbb\xbf" + svg
    yield "EPS that reads files", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n"
    yield "DOS EPS", b"\xc5\xd0\xd3\xc6" + bytes(26) + b"%!PS-Adobe-3.0"
    yield "PDF around a JPEG", b"%PDF-1.7\nstream\n" + encoded("JPEG") + b"\nendstream"
    yield "MVG", b"push graphic-context\nimage over 0,0 0,0 'url(http://127.0.0.1/)'\npop graphic-context"
    yield "video", b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + bytes(200)
    yield "QuickTime", b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00qt  " + bytes(200)
    yield "JPEG XL", b"\xff\x0a" + bytes(100)
    yield "Photoshop", b"8BPS\x00\x01" + bytes(100)
    yield "ZIP", b"PK\x03\x04" + bytes(100)
    yield "gzip bomb", zlib.compress(bytes(10**7))
    yield "ELF", b"\x7fELF\x02\x01\x01" + bytes(100)
    yield "HTML", b"<!doctype html><img src=x onerror=alert(1)>"
    yield "pickle", b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94."


def _bombs() -> Iterator[tuple[str, bytes]]:
    yield "PNG of 169 MP in 20 kB", _png(13_000, 13_000, rows=13_000)
    for edge in (30_000, 60_000, 2**31 - 1):
        yield f"PNG that claims {edge} pixels square", _png(edge, edge, rows=1)
    yield "PNG of no pixels", _png(0, 0, rows=0)
    jpeg = bytearray(encoded("JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    yield "JPEG that claims 65535 pixels square", bytes(jpeg)
    jpeg[frame + 5 : frame + 9] = b"\x00\x00\x00\x00"
    yield "JPEG of no pixels", bytes(jpeg)
    gif = bytearray(encoded("GIF"))
    gif[6:10] = b"\xff\xff\xff\xff"
    yield "GIF that claims 65535 pixels square", bytes(gif)
    canvas = b"VP8X\x0a\x00\x00\x00\x00\x00\x00\x00" + b"\xff\x3f\x00" * 2
    yield "WebP that claims 16384 pixels square", b"RIFF" + struct.pack("<I", len(canvas) + 4) + b"WEBP" + canvas
    for image_format in ("AVIF", "HEIF"):
        data = bytearray(encoded(image_format))
        at = 0
        while (at := data.find(b"ispe", at + 1)) > 0:
            data[at + 8 : at + 16] = struct.pack(">II", 60_000, 60_000)
        yield f"{image_format} that claims 60000 pixels square", bytes(data)


def _junk() -> Iterator[tuple[str, bytes]]:
    dice = random.Random(1)
    for length in (1, 2, 3, 7, 8, 100, 4096):
        yield f"{length} zero bytes", bytes(length)
        yield f"{length} bytes of ones", b"\xff" * length
    for image_format, magic in _MAGIC.items():
        for length in (0, 10, 1000, 50_000):
            yield f"{image_format} magic and {length} bytes of noise", magic + dice.randbytes(length)


def _nonsense_exif() -> Iterator[tuple[str, bytes]]:
    tiff = b"II*\x00\x08\x00\x00\x00"
    entry = struct.pack("<HHII", 0x0112, 3, 2**32 - 1, 2**32 - 1)
    blocks = {
        "nothing": b"",
        "a directory that is its own next": tiff + b"\x00\x00" + struct.pack("<I", 8),
        "a directory that contains itself": tiff
        + b"\x01\x00"
        + struct.pack("<HHII", 0x8769, 4, 1, 8)
        + struct.pack("<I", 8),
        "values beyond the end": tiff + b"\x01\x00" + entry + bytes(4),
        "65535 entries": tiff + b"\xff\xff" + entry * 20,
        "noise": random.Random(2).randbytes(3000),
        "orientation as text": tiff + b"\x01\x00" + struct.pack("<HHI4s", 0x0112, 2, 4, b"up!\x00") + bytes(4),
        "orientation 255": tiff + b"\x01\x00" + struct.pack("<HHII", 0x0112, 3, 1, 255) + bytes(4),
    }
    for what, block in blocks.items():
        for image_format in ("JPEG", "PNG", "WEBP", "HEIF"):  # the encoder of AVIF refuses most of these
            yield f"{image_format}, EXIF: {what}", encoded(image_format, exif=b"Exif\x00\x00" + block)


def _nonsense_profiles() -> Iterator[tuple[str, bytes]]:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    profiles = {
        "noise": random.Random(3).randbytes(500),
        "cut": srgb[:200],
        "of another space": lab,
        "with a huge table": srgb[:128] + struct.pack(">I", 2**31) + srgb[132:],
        "of a huge size": struct.pack(">I", 2**32 - 1) + srgb[4:],
        "flipped": bytes(byte ^ (at % 7 == 0) for at, byte in enumerate(srgb)),
    }
    for what, profile in profiles.items():
        for image_format in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF"):
            yield f"{image_format}, profile {what}", encoded(image_format, icc_profile=profile)
    bomb = b"bomb\x00\x00" + zlib.compress(bytes(200 * 2**20), 9)
    for kind in (b"iCCP", b"zTXt"):
        yield f"PNG with 200 MiB in {kind.decode()}", _png(64, 64, rows=64, extra=_chunk(kind, bomb))


def _nonsense_boxes() -> Iterator[tuple[str, bytes]]:
    for image_format in ("AVIF", "HEIF"):
        whole = encoded(image_format)
        for kind in (b"ftyp", b"meta", b"iprp", b"ipco", b"ispe", b"iloc", b"iinf", b"pitm", b"pixi", b"mdat"):
            at = whole.find(kind)
            for size in (0, 1, 7, 2**31, 2**32 - 1):
                if at >= 4:
                    broken = whole[: at - 4] + struct.pack(">I", size) + whole[at:]
                    yield f"{image_format}, {kind.decode()} of {size} bytes", broken
        yield f"{image_format}, boxes twice", whole + whole[whole.index(b"meta") - 4 :]
        yield f"{image_format}, 10,000 empty boxes", whole + b"\x00\x00\x00\x08free" * 10_000


def _polyglots() -> Iterator[tuple[str, bytes]]:
    script = b"*/=1;alert(document.cookie)//<script>alert(1)</script><?php system($_GET[0]);?>"
    for image_format in FORMATS:
        yield f"{image_format} and a script", encoded(image_format) + script
        yield f"{image_format} and a ZIP", encoded(image_format) + b"PK\x03\x04" + bytes(200)
    yield "JPEG with a script for a comment", encoded("JPEG", comment=script)
    yield "GIF that is JavaScript", b"GIF89a=1;" + script
    yield "JPEG after a script", script + encoded("JPEG")
    yield "JPEG and a PNG", encoded("JPEG") + encoded("PNG")


def _flipped() -> Iterator[tuple[str, bytes]]:
    dice = random.Random(4)
    for image_format in FORMATS:
        for number in range(8):
            data = bytearray(encoded(image_format))
            for _ in range(1 + number):
                data[dice.randrange(len(data))] = dice.randrange(256)
            yield f"{image_format} flipped {number + 1} times", bytes(data)


def _shapes() -> Iterator[tuple[str, bytes]]:
    for size in ((20_000, 10), (10, 20_000), (1, 1), (1, 5000)):
        for image_format in ("JPEG", "PNG"):
            yield f"{image_format} of {size[0]} x {size[1]}", encoded(image_format, size)
    yield "PNG of 59 MP, black", _png(7_700, 7_700, rows=7_700)
