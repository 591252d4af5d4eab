"""The first bytes of files that are not taken, and the words by which they are to be named."""

import struct
from collections.abc import Iterator

from tools.photo_cases.manifest import Case, given

_BOXES = b"\0\0\0\x18ftyp%b\0\0\0\0%bisom"
_TGA = bytes((0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 64, 0, 24, 0))
_RAW, _VIDEO = ("Camera raw files", "JPEG from your camera"), ("Video files", "still")


def tiff(tags: dict[int, tuple[int, int, int]], text: bytes = b"", order: str = "<") -> bytes:
    """A TIFF file of one directory: number -> type, count and value; `text` follows at offset 200."""
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8) + struct.pack(f"{order}H", len(tags))
    entries = b"".join(
        struct.pack(f"{order}HHIHH", tag, kind, count, value, 0)
        if kind == 3  # noqa: PLR2004  16-bit
        else struct.pack(f"{order}HHII", tag, kind, count, value)
        for tag, (kind, count, value) in tags.items()
    )
    return (head + entries).ljust(200, b"\0") + text


def _of_maker(make: bytes, order: str = "<") -> bytes:
    return tiff({259: (3, 1, 1), 271: (2, len(make), 200), 330: (4, 1, 100)}, make, order)


_FILES: tuple[tuple[str, bytes, tuple[str, ...]], ...] = (
    ("fujifilm.raf", b"FUJIFILMCCD-RAW 0201", ("Fujifilm RAF", *_RAW)),
    ("olympus.orf", b"IIRO\x08\0\0\0", ("Olympus ORF", *_RAW)),
    ("panasonic.rw2", b"IIU\0\x18\0\0\0", ("Panasonic RW2", *_RAW)),
    ("canon.cr3", _BOXES % (b"crx ", b"crx "), ("Canon CR3", *_RAW)),
    ("canon.cr2", b"II*\0\x10\0\0\0CR\x02\0", ("Canon CR2", *_RAW)),
    ("sigma.x3f", b"FOVb\0\0\x02\0", ("Sigma X3F", *_RAW)),
    ("minolta.mrw", b"\0MRM\0\0\0\0", ("Minolta MRW", *_RAW)),
    ("nikon.nef", _of_maker(b"NIKON CORPORATION\0", ">"), ("Nikon NEF", *_RAW)),
    ("sony.arw", _of_maker(b"SONY\0"), ("Sony ARW", *_RAW)),
    ("pentax.pef", tiff({259: (3, 1, 65535), 271: (2, 7, 200)}, b"PENTAX\0"), ("Pentax PEF", *_RAW)),
    ("samsung.srw", _of_maker(b"SAMSUNG\0"), ("Samsung SRW", *_RAW)),
    ("adobe.dng", tiff({50706: (1, 4, 0x0401)}), ("DNG", *_RAW)),
    ("scan.tif", tiff({256: (3, 1, 64), 259: (3, 1, 1)}), ("TIFF files",)),
    ("big.tif", b"MM\0+\0\x08\0\0" + bytes(50), ("TIFF files",)),
    ("cut.tif", b"II*\0\xff\xff\0\0", ("TIFF and camera raw files",)),
    ("old.mov", b"\0\0\0\x08wide\0\0\1\0mdat" + bytes(50), ("QuickTime", *_VIDEO)),
    ("iphone.mov", _BOXES % (b"qt  ", b"qt  "), ("QuickTime", *_VIDEO)),
    ("clip.mkv", b"\x1aE\xdf\xa3\xa3B\x86\x81", ("Matroska", *_VIDEO)),
    ("clip.avi", b"RIFF\0\1\0\0AVI LIST", ("AVI", *_VIDEO)),
    ("clip.ts", (b"G" + bytes(187)) * 3, ("MPEG", *_VIDEO)),
    ("camcorder.m2ts", (b"\0\0\0\1G" + bytes(187)) * 3, ("MPEG", *_VIDEO)),
    ("camcorder.mxf", b"\x06\x0e\x2b\x34\x02\x05\x01\x01", ("MXF", *_VIDEO)),
    ("clip.rm", b".RMF\0\0\0\x12", ("RealMedia", *_VIDEO)),
    ("clip.h264", b"\0\0\0\x01\x67\x42\0\x1e", ("H.264", *_VIDEO)),
    ("clip.hevc", b"\0\0\0\x01\x40\x01\x0c\x01", ("H.265", *_VIDEO)),
    ("clip.y4m", b"YUV4MPEG2 W64 H64 F25:1\n", ("YUV4MPEG2", *_VIDEO)),
    ("red.r3d", b"\0\0\x01\x04RED1" + bytes(50), ("RED R3D", *_RAW)),
    ("phase_one.iiq", b"IIIITwaR" + bytes(50), ("Phase One IIQ", *_RAW)),
    ("phase_one.tif", b"II*\0\x08\0\0\0IIIITwaR" + bytes(50), ("Phase One IIQ", *_RAW)),
    ("quicktake.qtk", b"qktk\0\0\0\x04", ("Apple QuickTake", *_RAW)),
    ("picture.emf", b"\1\0\0\0\x6c\0\0\0" + bytes(32) + b" EMF", ("Windows metafile files",)),
    ("picture.iff", b"FORM\0\0\1\0ILBM", ("ILBM files",)),
    ("picture.tga", _TGA + bytes(100), ("TGA files",)),
    ("picture.exr", b"v/1\x01\x02\0\0\0", ("OpenEXR files",)),
    ("picture.jxr", b"II\xbc\x01\x20\0\0\0", ("JPEG XR files",)),
    ("picture.j2c", b"\xff\x4f\xff\x51\0\x2f", ("JPEG 2000 files",)),
    ("picture.jxl", b"\xff\x0a\xfa\x7f", ("JPEG XL files",)),
    ("picture.ppm", b"P6\n64 64\n255\n" + bytes(9), ("Netpbm files",)),
    ("picture.pcx", b"\x0a\x05\x01\x08" + bytes(124), ("PCX files",)),
    ("icon.ico", b"\0\0\1\0\1\0", ("Icon files",)),
    ("comment.svg", b"<?xml version='1.0'?>\n<!-- " + b"long " * 9000 + b"-->\n<svg xmlns=''/>", ("SVG files",)),
    ("doctype.svg", b"\xef\xbb\xbf<!DOCTYPE svg [<!ENTITY a 'b'>]>\n<svg/>", ("SVG files",)),
    ("wide.svg", "<svg/>".encode("utf-16"), ("SVG files",)),
)


def cases() -> Iterator[Case]:
    """Refused by name, with what to send instead."""
    for name, data, says in _FILES:
        yield Case(
            name,
            given(data),
            statuses=frozenset({"failed"}),
            code="unsupported_format",
            says=(*says, "are not taken", "Send one of these: JPEG"),
        )
