"""The format of a file by its first bytes. Names and media types sent by clients are not trusted."""

from enum import StrEnum


class PhotoFormat(StrEnum):
    """The formats that are read; the value is Pillow's name for the format."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WEBP"
    AVIF = "AVIF"
    HEIF = "HEIF"
    GIF = "GIF"

    @property
    def common_name(self) -> str:
        """The common name."""
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

# Brands of files whose items any codec may have coded.
_GENERAL_BRANDS = frozenset((b"mif1", b"msf1", b"miaf", b"MiHE"))


def sniff(data: bytes) -> PhotoFormat | None:
    """The format of `data` by its content; None if it is not one that is read."""
    for magic, photo_format in _MAGIC:
        if data.startswith(magic):
            return photo_format
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return PhotoFormat.WEBP
    brands = _brands(data)
    # A file may list the brands of both codecs. The major brand, which comes first, decides.
    for brand in brands:
        if brand in _AVIF_BRANDS:
            return PhotoFormat.AVIF
        if brand in _HEIF_BRANDS:
            return PhotoFormat.HEIF
    return PhotoFormat.HEIF if _GENERAL_BRANDS.intersection(brands) else None


def _brands(data: bytes) -> list[bytes]:
    """Major and compatible brands of an ISO base media file, in order; empty for any other file."""
    if data[4:8] != b"ftyp":
        return []
    size = min(int.from_bytes(data[:4], "big"), len(data), 512)
    return [data[8:12], *(data[at : at + 4] for at in range(16, size - 3, 4))]
