"""Pictures in the form of JPEG and HEIF: a plane of luma, and two of chroma, usually at half the size.

Planes take 1.5 bytes a pixel; Pillow's RGB takes four. So large photos are shrunk as planes, and converted to RGB when
they are small.
"""

from dataclasses import dataclass

from PIL import Image

from ingestion.photos.shrinking import shrunk

_STRIP_ROWS = 256
# A matrix from (luma, blue chroma, red chroma, 1) to red, green and blue, by rows. Pillow's own conversion rounds down.
_TO_RGB = (1, 0, 1.402, -179.456, 1, -0.344136, -0.714136, 135.458816, 1, 1.772, 0, -226.816)


@dataclass(frozen=True, slots=True)
class Planes:
    """The planes of a picture in mode L, coded as in JFIF: ITU-R BT.601 in full range.

    The planes of chroma may be smaller than that of luma.
    """

    luma: Image.Image
    blue: Image.Image
    red: Image.Image

    def to_rgb(self) -> Image.Image:
        """The picture; its planes must have one size. It is converted in strips of rows, which need little memory."""
        page = Image.new("RGB", self.luma.size)
        for top in range(0, page.height, _STRIP_ROWS):
            box = (0, top, page.width, min(top + _STRIP_ROWS, page.height))
            strip = Image.merge("RGB", [plane.crop(box) for plane in (self.luma, self.blue, self.red)])
            page.paste(strip.convert("RGB", _TO_RGB), box)
        return page


def shrunk_plane(plane: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A copy of a plane, shrunk to `size`."""
    return plane.copy() if plane.size == size else shrunk(plane, size)
