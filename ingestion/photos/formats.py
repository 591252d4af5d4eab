"""What a file is, by its first bytes: names and media types sent by clients are never believed."""

from enum import StrEnum


class PhotoFormat(StrEnum):
    """The formats that are read; the value is the name Pillow has for it."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WEBP"
    AVIF = "AVIF"
    HEIF = "HEIF"
    GIF = "GIF"

    @property
    def common_name(self) -> str:
        """What people call it."""
        return "HEIC" if self is PhotoFormat.HEIF else self.value

    @property
    def is_boxed(self) -> bool:
        """Whether the file is a sequence of ISO base media boxes."""
        return self in (PhotoFormat.AVIF, PhotoFormat.HEIF)


_MAGIC = (
    (b"\xff\xd8\xff", PhotoFormat.JPEG),
    (b"\x89PNG\r\n\x1a\n", PhotoFormat.PNG),
    (b"GIF87a", PhotoFormat.GIF),
    (b"GIF89a", PhotoFormat.GIF),
)
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))

# Recognised only to say so: people send these and deserve a better answer than "not an image".
_FOREIGN_MAGIC = (
    (b"II*\x00", "TIFF or raw"),
    (b"MM\x00*", "TIFF or raw"),
    (b"BM", "BMP"),
    (b"8BPS", "Photoshop"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\x00\x00\x01\x00", "icon"),
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"<svg", "SVG"),
)


def sniff(data: bytes) -> PhotoFormat | None:
    """The format of `data` by its content, or None where it is not one that is read."""
    for magic, photo_format in _MAGIC:
        if data.startswith(magic):
            return photo_format
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return PhotoFormat.WEBP
    brands = _brands(data)
    # A file may list the brands of both codecs; the major brand, which comes first, decides.
    for brand in brands:
        if brand in _AVIF_BRANDS:
            return PhotoFormat.AVIF
        if brand in _HEIF_BRANDS:
            return PhotoFormat.HEIF
    return None


def foreign_name(data: bytes) -> str | None:
    """What people call the format of `data`, where it is a picture or document that is not read."""
    for magic, name in _FOREIGN_MAGIC:
        if data.startswith(magic):
            return name
    if b"<svg" in data[:512].lower():
        return "SVG"
    return "video" if data[4:8] == b"ftyp" else None


def _brands(data: bytes) -> list[bytes]:
    """Major and compatible brands of an ISO base media file, in order; empty for any other file."""
    if data[4:8] != b"ftyp":
        return []
    size = min(int.from_bytes(data[:4], "big"), len(data), 512)
    return [data[8:12], *(data[at : at + 4] for at in range(16, size - 3, 4))]
