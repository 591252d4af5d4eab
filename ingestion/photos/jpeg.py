"""JPEG pictures, shrunk by the decoder as far as that costs no quality. Large pictures are decoded plane by plane."""

from PIL import Image

from ingestion.photos.decoded import Decoded
from ingestion.photos.decoder import open_photo
from ingestion.photos.formats import PhotoFormat
from ingestion.photos.jpeg_end import with_end_marker
from ingestion.photos.planes import Planes, shrunk_plane
from ingestion.photos.shrinking import shrunk

# JPEG decoders shrink by 2, 4 or 8 at a fraction of the cost of decoding all pixels. They are asked for this many times
# the target size; LANCZOS does the rest. Compared with decoding all pixels, photos delivered at 1080 pixels lose in
# SSIM (mean and maximum of six phone photos): 0.001 and 0.002 with a margin of 1.9; 0.002 and 0.006 with 1.4; 0.004 and
# 0.014 with 1.1. With 1.4, the usual 3024 x 4032 is decoded at half its size, in a third of the time.
DRAFT_MARGIN = 1.4

# Delivered files have chroma at half the size of luma, so half of the margin is enough.
_CHROMA_MARGIN = DRAFT_MARGIN / 2

# The most pixels that are decoded to RGB at once; larger pictures are decoded as planes, for which the file is read
# twice. 48 megapixels take 0.7 s either way, and 85 MB as planes instead of 310. 12 megapixels take 0.35 s as planes
# and 0.22 s as RGB.
MOST_RGB_PIXELS = 24_000_000


def read_jpeg(data: bytes, size: tuple[int, int], most_rgb_pixels: int = MOST_RGB_PIXELS) -> Decoded:
    """The picture at `size` (not larger than its own) as L, RGB or CMYK. It is not turned.

    A file without its end marker, as some cameras write them, is read if all its pixels are there.

    Raises:
        OSError: the file is truncated or damaged.
    """
    try:
        return _read(data, size, most_rgb_pixels)
    except OSError:
        whole = with_end_marker(data)
        if whole is None:
            raise
    return _read(whole, size, most_rgb_pixels)


def _read(data: bytes, size: tuple[int, int], most_rgb_pixels: int) -> Decoded:
    with open_photo(data, PhotoFormat.JPEG) as photo:
        profile = photo.info.get("icc_profile")
        photo.draft(None, _with_margin(size, DRAFT_MARGIN))
        if photo.width * photo.height <= most_rgb_pixels or not _is_ycbcr(photo):
            photo.load()
            return Decoded(shrunk(photo, size), profile)
    # One after the other, so that only one of them is in memory at full size.
    luma = _luma(data, size)
    blue, red = _chroma(data, size)
    return Decoded(Planes(luma, blue, red).to_rgb(), profile)


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
    """Whether the file's components are certainly luma and chroma, by the rules of libjpeg (jdapimin.c)."""
    if photo.mode != "RGB":
        return False
    if "jfif" in photo.info:
        return True
    if "adobe" in photo.info:
        return bool(photo.info.get("adobe_transform") == 1)
    return [component[0] for component in getattr(photo, "layer", [])] == [1, 2, 3]
