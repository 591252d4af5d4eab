"""The second step: makes any photo an upright, opaque, 8-bit sRGB picture without metadata."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms, ImageFile

from ingestion.photos.colour import ColourSpace, hdr_space, to_srgb
from ingestion.photos.decoded import Decoded
from ingestion.photos.decoder import open_photo, rejecting_damage
from ingestion.photos.formats import PhotoFormat
from ingestion.photos.heif import read_heif
from ingestion.photos.heif_items import shown_picture
from ingestion.photos.jpeg import read_jpeg
from ingestion.photos.png import colour_space, scale_key
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
    """Decode a photo and shrink it to `size` (upright width and height, not larger than the photo).

    It is shrunk before colour management and turning, which makes both cheap.

    Raises:
        PhotoRejected: `truncated`, `damaged` or `too_many_pixels`.
    """
    stored = size[::-1] if header.is_turned else size
    with rejecting_damage():
        if header.format is PhotoFormat.HEIF:
            decoded = read_heif(data, stored)
        elif header.format is PhotoFormat.JPEG:
            decoded = read_jpeg(data, stored)
        else:
            decoded = _read(data, header.format, stored)
        image = _srgb(_opaque(_eight_bit(decoded.image)), decoded.profile, decoded.space)
        if header.orientation in _TURNS:
            image = image.transpose(_TURNS[header.orientation])
    return _bare(image)


def _read(data: bytes, photo_format: PhotoFormat, stored: tuple[int, int]) -> Decoded:
    """The picture at the size `stored`. The memory of all pixels is released."""
    space = colour_space(data) if photo_format is PhotoFormat.PNG else None
    shown = shown_picture(data) if photo_format is PhotoFormat.AVIF else None
    with open_photo(data, photo_format) as photo:
        photo.load()
        if photo_format is PhotoFormat.PNG:
            scale_key(data, photo)
        profile = photo.info.get("icc_profile")
        if shown is None:
            return Decoded(shrunk(_eight_bit(photo), stored), profile, space)
        picture = photo.crop(shown.crop) if shown.crop else photo  # libavif leaves cropping to its callers
        return Decoded(shrunk(_eight_bit(picture), stored), profile, shown.colour)


def _eight_bit(image: Image.Image) -> Image.Image:
    """The picture in a mode that can be resized: L, LA, RGB, RGBA or CMYK."""
    if image.mode.startswith("I"):
        # 16-bit grey: Pillow's own conversion clips to white instead of scaling.
        samples = np.asarray(image, dtype=np.float32)
        grey = Image.fromarray((samples / 257 + 0.5).clip(0, 255).astype(np.uint8))
        if "transparency" in image.info:
            grey.putalpha(Image.fromarray((samples != image.info["transparency"]).astype(np.uint8) * np.uint8(255)))
        return grey
    if image.mode == "P" or "transparency" in image.info:
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _opaque(image: Image.Image) -> Image.Image:
    """The picture on white, which most viewers show behind a transparent picture."""
    if image.mode not in ("LA", "RGBA"):
        return image
    base = image.mode.removesuffix("A")
    page = Image.new(base, image.size, "white")
    page.paste(image.convert(base), mask=image.getchannel("A"))
    return page


def _srgb(image: Image.Image, profile: bytes | None, space: ColourSpace | None) -> Image.Image:
    """The picture in sRGB.

    A profile overrides numbers, except in HDR pictures, which profiles only approximate. Without either, the picture is
    assumed to be in sRGB, as in browsers.
    """
    if space is None or not space.is_hdr:
        transform = _transform(profile, image.mode) if profile else None
        if isinstance(transform, ColourSpace):
            space = transform
        elif transform is not None:
            converted = ImageCms.applyTransform(image, transform)
            if converted is not None:
                return converted
    rgb = image if image.mode == "RGB" else image.convert("RGB")  # convert to the same mode would copy
    return rgb if space is None or space.is_srgb or image.mode == "CMYK" else to_srgb(rgb, space)


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | ColourSpace | None:
    """The transform of `profile` to sRGB, or the HDR colour space that it approximates.

    None if the profile is broken or is for another mode.
    """
    space = hdr_space(profile)
    if space is not None:
        return space
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if _MODE_OF_SPACE.get(source.profile.xcolor_space) != mode:
            return None
        return ImageCms.buildTransform(source, _SRGB, mode, "RGB")
    except (OSError, ImageCms.PyCMSError):
        return None


def _bare(image: Image.Image) -> Image.Image:
    """The same pixels without metadata: encoders write what they find in `info`."""
    bare = image.copy() if isinstance(image, ImageFile.ImageFile) else image  # a file keeps metadata outside `info` too
    bare.info = {}
    return bare
