"""JPEG pictures, shrunk by the decoder as far as that costs no quality; what stays large is decoded plane by plane."""

from PIL import Image

from ingestion.photos.decoder import open_photo
from ingestion.photos.formats import PhotoFormat
from ingestion.photos.planes import Planes, shrunk_plane
from ingestion.photos.shrinking import shrunk

# JPEG decoders shrink by 2, 4 or 8 at a fraction of the cost of decoding it all. Asking for this much more than is
# needed leaves the last step to LANCZOS. Against decoding it all, six photos of phones lose in SSIM, as delivered at
# 1080 pixels: 0.001 (at most 0.002) with a margin of 1.9, 0.002 (0.006) with 1.4, 0.004 (0.014) with 1.1. 1.4 lets the
# usual 3024 x 4032 be decoded at half its size, which takes a third of the time.
DRAFT_MARGIN = 1.4

# Files are delivered with chroma at half the size of luma, so half of it is enough.
_CHROMA_MARGIN = DRAFT_MARGIN / 2

# Most pixels that are decoded to RGB at once. For planes a file is read twice: 48 megapixels take 0.7 s either way, and
# 85 MB instead of 310; 12 megapixels 0.35 s instead of 0.22.
MOST_RGB_PIXELS = 24_000_000


def read_jpeg(
    data: bytes, size: tuple[int, int], most_rgb_pixels: int = MOST_RGB_PIXELS
) -> tuple[Image.Image, bytes | None]:
    """The picture at `size` (not larger than its own), not turned, as L, RGB or CMYK; and its colour profile."""
    with open_photo(data, PhotoFormat.JPEG) as photo:
        profile = photo.info.get("icc_profile")
        photo.draft(None, _with_margin(size, DRAFT_MARGIN))
        if photo.width * photo.height <= most_rgb_pixels or not _is_ycbcr(photo):
            photo.load()
            return shrunk(photo, size), profile
    # One after the other, so that only one of them is there in full.
    luma = _luma(data, size)
    blue, red = _chroma(data, size)
    return Planes(luma, blue, red).to_rgb(), profile


def _luma(data: bytes, size: tuple[int, int]) -> Image.Image:
    with open_photo(data, PhotoFormat.JPEG) as photo:
        photo.draft("L", _with_margin(size, DRAFT_MARGIN))
        return shrunk_plane(photo, size)


def _chroma(data: bytes, size: tuple[int, int]) -> list[Image.Image]:
    with open_photo(data, PhotoFormat.JPEG) as photo:
        photo.draft("YCbCr", _with_margin(size, _CHROMA_MARGIN))
        return [shrunk_plane(photo.getchannel(channel), size) for channel in ("Cb", "Cr")]


def _with_margin(size: tuple[int, int], margin: float) -> tuple[int, int]:
    return round(size[0] * margin), round(size[1] * margin)


def _is_ycbcr(photo: Image.Image) -> bool:
    """Whether the file's components are luma and chroma for certain, by the rules of libjpeg (jdapimin.c)."""
    if photo.mode != "RGB":
        return False
    if "jfif" in photo.info:
        return True
    if "adobe" in photo.info:
        return bool(photo.info.get("adobe_transform") == 1)
    return [component[0] for component in getattr(photo, "layer", [])] == [1, 2, 3]
