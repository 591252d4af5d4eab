"""Files that are not taken: what they are, and what to send instead.

A person who sends a raw file or a video has a photo in mind. They are told what the file is, as its maker calls it.
"""

import re
from dataclasses import dataclass

from ingestion.photos.tiff import raw_name

_RAW = "Export the photo as JPEG from your camera or photo app."
_VIDEO = "Send a photo, or a still of the video."
_PICTURE = "Save the picture as JPEG or PNG."
_DOCUMENT = "Export the page as a picture."


@dataclass(frozen=True, slots=True)
class Foreign:
    """The name of a format, which starts a sentence, and what to send instead."""

    name: str
    advice: str = _PICTURE


def _raw(name: str) -> Foreign:
    return Foreign(f"Camera raw files ({name})", _RAW)


def _video(name: str) -> Foreign:
    return Foreign(f"Video files ({name})", _VIDEO)


def _picture(name: str) -> Foreign:
    return Foreign(f"{name} files")


_TIFF = Foreign("TIFF files")
# Streams of H.264 and H.265 begin with a start code and a unit of parameters, or with an access unit delimiter.
_UNIT_STARTS = (b"\x00\x00\x01", b"\x00\x00\x00\x01")
_FIRST_UNITS = (b"\x67", b"\x27", b"\x09", b"\x40\x01", b"\x46\x01")
_MAGIC = (
    (b"FUJIFILMCCD-RAW", _raw("Fujifilm RAF")),
    (b"IIRO", _raw("Olympus ORF")),
    (b"IIRS", _raw("Olympus ORF")),
    (b"MMOR", _raw("Olympus ORF")),
    (b"IIU\x00", _raw("Panasonic RW2")),
    (b"FOVb", _raw("Sigma X3F")),
    (b"\x00MRM", _raw("Minolta MRW")),
    (b"II\x1a\x00\x00\x00HEAPCCDR", _raw("Canon CRW")),
    (b"ARRI", _raw("ARRIRAW")),
    (b"IIII", _raw("Phase One IIQ")),
    (b"MMMM", _raw("Phase One IIQ")),
    (b"qktk", _raw("Apple QuickTake")),
    (b"qktn", _raw("Apple QuickTake")),
    (b"\x1aE\xdf\xa3", _video("Matroska or WebM")),
    (b"FLV\x01", _video("FLV")),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _video("Windows Media")),
    (b"\x00\x00\x01\xba", _video("MPEG")),
    (b"\x00\x00\x01\xb3", _video("MPEG")),
    (b"OggS", _video("Ogg")),
    (b"\x06\x0e\x2b\x34", _video("MXF")),
    (b".RMF", _video("RealMedia")),
    (b"YUV4MPEG2", _video("YUV4MPEG2")),
    (b"DKIF", _video("IVF")),
    (b"\x1f\x07\x00", _video("DV")),
    (b"nut/multimedia container", _video("NUT")),
    (b"\x8aMNG", _video("MNG")),
    *((start + unit, _video("H.264 or H.265")) for start in _UNIT_STARTS for unit in _FIRST_UNITS),
    (b"II+\x00", _TIFF),
    (b"MM\x00+", _TIFF),
    (b"II\xbc", _picture("JPEG XR")),
    (b"BM", _picture("BMP")),
    (b"8BPS", _picture("Photoshop")),
    (b"gimp xcf", _picture("GIMP")),
    (b"\x00\x00\x00\x0cJXL ", _picture("JPEG XL")),
    (b"\xff\x0a", _picture("JPEG XL")),
    (b"\x00\x00\x00\x0cjP  ", _picture("JPEG 2000")),
    (b"\xff\x4f\xff\x51", _picture("JPEG 2000")),
    (b"\x76\x2f\x31\x01", _picture("OpenEXR")),
    (b"#?RADIANCE", _picture("Radiance HDR")),
    (b"#?RGBE", _picture("Radiance HDR")),
    (b"SDPX", _picture("DPX")),
    (b"XPDS", _picture("DPX")),
    (b"DDS ", _picture("DDS")),
    (b"qoif", _picture("QOI")),
    (b"FLIF", _picture("FLIF")),
    (b"BPG\xfb", _picture("BPG")),
    (b"SIMPLE  =", _picture("FITS")),
    (b"\x80\x2a\x5f\xd7", _picture("Cineon")),
    (b"\x8bJNG", _picture("JNG")),
    (b"/* XPM */", _picture("XPM")),
    (b"icns", _picture("Icon")),
    (b"\x00\x00\x01\x00", _picture("Icon")),
    (b"\x00\x00\x02\x00\x01\x00", _picture("Cursor")),
    (b"\x01\xda", _picture("SGI")),
    (b"\x59\xa6\x6a\x95", _picture("Sun raster")),
    (b"\xd7\xcd\xc6\x9a", _picture("Windows metafile")),
    (b"\x01\x00\x00\x00\x6c\x00\x00\x00", _picture("Windows metafile")),
    (b"%PDF", Foreign("PDF files", _DOCUMENT)),
    (b"%!PS", Foreign("PostScript files", _DOCUMENT)),
    (b"\xc5\xd0\xd3\xc6", Foreign("PostScript files", _DOCUMENT)),
    (b"AT&TFORM", Foreign("DjVu files", _DOCUMENT)),
)
_CR3 = _raw("Canon CR3")
# First boxes of QuickTime files from before there was "ftyp".
_QUICKTIME_BOXES = frozenset((b"wide", b"mdat", b"moov", b"free", b"skip", b"pnot"))
_RIFF = {b"AVI ": _video("AVI"), b"CDXA": _video("MPEG"), b"RMID": None, b"WAVE": None}
_NETPBM = re.compile(rb"P[1-7]\s[\s\d#]|P[Ff]\s[\s\d]|P7\n")
_PCX = re.compile(rb"\x0a[\x00\x02-\x05][\x00\x01][\x01\x02\x04\x08]")
# No palette or one of 256 colours, then a kind of picture.
_TGA = re.compile(
    rb".(?:\x00[\x02\x03\x0a\x0b]\x00{5}|\x01[\x01\x09].{4}[\x10\x18\x20]).{8}[\x08\x0f\x10\x18\x20]", re.DOTALL
)
_TGA_FOOTER = b"TRUEVISION-XFILE.\x00"
_MPEG_STREAM_PACKET = 188
_BLU_RAY_TIME = 4  # bytes before each packet in recordings of camcorders (.m2ts)
_SVG_START = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^<\[>]*(?:\[.*?\]\s*)?>)*+<(?:\w+:)?svg[\s>/]",
    re.DOTALL | re.IGNORECASE,
)
_LONGEST_SVG_START = 2**20


def recognise_foreign(data: bytes) -> Foreign | None:
    """What `data` is, if it is a picture, document or video that is not taken."""
    for magic, foreign in _MAGIC:
        if data.startswith(magic):
            return foreign
    if data.startswith((b"II*\x00", b"MM\x00*")):
        return _tiff(data)
    if data[:4] in (b"RIFF", b"RIFX"):
        return _RIFF.get(data[8:12])
    return _boxed(data) or _textual(data) or _without_magic(data)


def _tiff(data: bytes) -> Foreign:
    name = raw_name(data)
    if name is None:
        return _TIFF
    return _raw(name) if name else Foreign("TIFF and camera raw files", _RAW)


def _boxed(data: bytes) -> Foreign | None:
    kind = data[4:8]
    if kind in (b"RED1", b"RED2"):
        return _raw("RED R3D")
    if data[:4] == b"FORM" and data[8:12] in (b"ILBM", b"PBM "):
        return _picture("ILBM")
    if kind == b"ftyp":
        return _CR3 if data[8:12] == b"crx " else _video("MP4 or QuickTime")
    return _video("QuickTime") if kind in _QUICKTIME_BOXES else None


def _textual(data: bytes) -> Foreign | None:
    head = data[:_LONGEST_SVG_START]
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head.decode("utf-16", "replace").encode()
    return _picture("SVG") if _SVG_START.match(head) else None


def _without_magic(data: bytes) -> Foreign | None:
    """Formats without a distinctive start, from the most certain to the least."""
    if data.endswith(_TGA_FOOTER) or _TGA.match(data):
        return _picture("TGA")
    if _NETPBM.match(data):
        return _picture("Netpbm")
    if _PCX.match(data):
        return _picture("PCX")
    if _is_mpeg_stream(data, 0) or _is_mpeg_stream(data, _BLU_RAY_TIME):
        return _video("MPEG")
    return None


def _is_mpeg_stream(data: bytes, extra: int) -> bool:
    """Whether the first two packets, each after `extra` bytes, begin as they must."""
    second = extra + _MPEG_STREAM_PACKET + extra
    return data[extra : extra + 1] == data[second : second + 1] == b"G"
