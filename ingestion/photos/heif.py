"""HEIF pictures, shrunk while they are copied from their decoder, so that no copy of all pixels is made."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ingestion.photos.colour import ColourSpace, decoded, encoded
from ingestion.photos.decoded import Decoded
from ingestion.photos.heif_items import shown_picture
from ingestion.photos.libheif import DeepPlanes, open_heif
from ingestion.photos.planes import Planes, shrunk_plane
from ingestion.photos.shrinking import flattened, narrowed

_STRIP_ROWS = 128
# H.273, table 4: number of a matrix -> the shares of red and blue in luma.
_LUMA_SHARES = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


def read_heif(data: bytes, size: tuple[int, int]) -> Decoded:
    """The picture of a file, upright, at `size` (not larger than its own). HDR pictures become sRGB.

    Raises:
        RuntimeError: the file is damaged.
    """
    shown = shown_picture(data)
    space = shown.colour if shown else None
    with open_heif(data) as picture:
        deep = picture.deep_planes() if space is not None and space.is_hdr else None
        if space is not None and deep is not None and deep.matrix in _LUMA_SHARES:
            return Decoded(_from_deep_planes(deep, size, space))
        planes = picture.planes()
        if planes is None:
            return Decoded(_from_pixels(picture.pixels(), size), picture.profile, space)
        luma, blue, red = (shrunk_plane(plane, size) for plane in (planes.luma, planes.blue, planes.red))
        profile = picture.profile
    return Decoded(Planes(luma, blue, red).to_rgb(), profile, space)


def _from_pixels(pixels: Image.Image, size: tuple[int, int]) -> Image.Image:
    page = Image.new(pixels.mode, (size[0], pixels.height))
    for top in range(0, page.height, _STRIP_ROWS):
        strip = pixels.crop((0, top, pixels.width, min(top + _STRIP_ROWS, page.height)))
        page.paste(narrowed(strip, size[0]), (0, top))
    return flattened(page, size[1])


def _from_deep_planes(planes: DeepPlanes, size: tuple[int, int], space: ColourSpace) -> Image.Image:
    """The picture in sRGB. Its samples keep all bits until light is tone-mapped: 8 bits of PQ would show as bands."""
    luma, *chroma = (np.asarray(_shrunk_samples(samples, size)) for samples in planes.samples)
    blue, red = chroma
    middle, most, step = (1 << bits for bits in (planes.bits - 1, planes.bits, planes.bits - 8))
    full, limited = (0, most - 1, most - 1), (16 * step, 219 * step, 224 * step)  # H.273, section 8.3
    offset, scale, chroma_scale = map(np.float32, full if planes.is_full_range else limited)
    page = Image.new("RGB", size)
    for top in range(0, size[1], _STRIP_ROWS):
        rows = slice(top, top + _STRIP_ROWS)
        samples = _rgb(
            (luma[rows] - offset) / scale,
            (blue[rows] - np.float32(middle)) / chroma_scale,
            (red[rows] - np.float32(middle)) / chroma_scale,
            _LUMA_SHARES[planes.matrix],
        )
        page.paste(Image.fromarray(encoded(decoded(samples.clip(0, 1), space), space)), (0, top))
    return page


def _shrunk_samples(samples: NDArray[np.uint16], size: tuple[int, int]) -> Image.Image:
    page = Image.new("F", (size[0], samples.shape[0]))
    for top in range(0, page.height, _STRIP_ROWS):
        strip = Image.fromarray(samples[top : top + _STRIP_ROWS].astype(np.float32))
        resized = strip if strip.width == size[0] else strip.resize((size[0], strip.height), Image.Resampling.LANCZOS)
        page.paste(resized, (0, top))
    return page if page.size == size else page.resize(size, Image.Resampling.LANCZOS)


def _rgb(
    luma: NDArray[np.float32], blue: NDArray[np.float32], red: NDArray[np.float32], shares: tuple[float, float]
) -> NDArray[np.float32]:
    """Samples of red, green and blue, (rows, columns, 3), of luma (0 to 1) and chroma (-1/2 to 1/2)."""
    red_share, blue_share = shares
    reds = luma + 2 * (1 - red_share) * red
    blues = luma + 2 * (1 - blue_share) * blue
    greens = (luma - red_share * reds - blue_share * blues) / (1 - red_share - blue_share)
    return np.stack([reds, greens, blues], axis=-1)
