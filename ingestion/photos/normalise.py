"""The second step: one upright, opaque, 8-bit sRGB picture without any metadata, whatever came in."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms, ImageFile

from ingestion.photos.decoder import open_photo, rejecting_damage
from ingestion.photos.formats import PhotoFormat
from ingestion.photos.heif import read_heif
from ingestion.photos.jpeg import read_jpeg
from ingestion.photos.shrinking import shrunk
from ingestion.photos.validate import Header

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_MODE_OF_SPACE = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}


def normalise(data: bytes, header: Header, size: tuple[int, int]) -> Image.Image:
    """Decode a photo and bring it to `size` (upright width and height, not larger than the photo).

    Shrinking comes before colour management and turning, which then cost little.

    Raises:
        PhotoRejected: `truncated`, `damaged` or `too_many_pixels`.
    """
    stored = size[::-1] if header.is_turned else size
    with rejecting_damage():
        if header.format is PhotoFormat.HEIF:
            image, profile = read_heif(data, stored)
        elif header.format is PhotoFormat.JPEG:
            image, profile = read_jpeg(data, stored)
        else:
            image, profile = _read(data, header.format, stored)
        image = _srgb(_opaque(_eight_bit(image)), profile)
        if header.orientation in _TURNS:
            image = image.transpose(_TURNS[header.orientation])
    return _bare(image)


def _read(data: bytes, photo_format: PhotoFormat, stored: tuple[int, int]) -> tuple[Image.Image, bytes | None]:
    """The picture at the size `stored`, and its colour profile; all its other pixels are let go of."""
    with open_photo(data, photo_format) as photo:
        photo.load()
        return shrunk(_eight_bit(photo), stored), photo.info.get("icc_profile")


def _eight_bit(image: Image.Image) -> Image.Image:
    """The picture in a mode that can be resized: L, LA, RGB, RGBA or CMYK."""
    if image.mode.startswith("I"):
        # 16-bit grey: Pillow's own conversion clips to white instead of scaling.
        return Image.fromarray((np.asarray(image, dtype=np.float32) / 257 + 0.5).clip(0, 255).astype(np.uint8))
    if image.mode == "P" or "transparency" in image.info:
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _opaque(image: Image.Image) -> Image.Image:
    """Flattened on white: what most viewers show behind a transparent picture."""
    if image.mode not in ("LA", "RGBA"):
        return image
    base = image.mode.removesuffix("A")
    page = Image.new(base, image.size, "white")
    page.paste(image.convert(base), mask=image.getchannel("A"))
    return page


def _srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """In sRGB; a picture without a usable profile is taken to be in sRGB already, as browsers do."""
    if profile:
        transform = _transform(profile, image.mode)
        if transform is not None:
            converted = ImageCms.applyTransform(image, transform)
            if converted is not None:
                return converted
    return image if image.mode == "RGB" else image.convert("RGB")  # converting to the same mode copies


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform of `profile` to sRGB; None where the profile is broken or is for another kind of picture."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if _MODE_OF_SPACE.get(source.profile.xcolor_space) != mode:
            return None
        return ImageCms.buildTransform(source, _SRGB, mode, "RGB")
    except (OSError, ImageCms.PyCMSError):
        return None


def _bare(image: Image.Image) -> Image.Image:
    """The same pixels in a picture that carries nothing else: encoders write what they find in `info`."""
    bare = image.copy() if isinstance(image, ImageFile.ImageFile) else image  # a file has more than `info`
    bare.info = {}
    return bare
