"""Pictures as JPEG and HEIF store them: luma whole, chroma usually at half the size, each a plane of its own.

Such a picture takes 1.5 bytes a pixel; as RGB, Pillow holds four. So large photos are shrunk as planes, and become RGB
when they are small.
"""

from dataclasses import dataclass

from PIL import Image

from ingestion.photos.shrinking import shrunk

_STRIP_ROWS = 256
# Rows of a matrix from (luma, blue chroma, red chroma, 1) to red, green, blue; Pillow's own conversion rounds down.
_TO_RGB = (1, 0, 1.402, -179.456, 1, -0.344136, -0.714136, 135.458816, 1, 1.772, 0, -226.816)


@dataclass(frozen=True, slots=True)
class Planes:
    """The planes of a picture, in mode L and the coding of JFIF: ITU-R BT.601 in full range.

    The two of chroma may be smaller than that of luma.
    """

    luma: Image.Image
    blue: Image.Image
    red: Image.Image

    def to_rgb(self) -> Image.Image:
        """The picture; its planes are of one size. A strip of rows at a time, so that little is held beside it."""
        page = Image.new("RGB", self.luma.size)
        for top in range(0, page.height, _STRIP_ROWS):
            box = (0, top, page.width, min(top + _STRIP_ROWS, page.height))
            strip = Image.merge("RGB", [plane.crop(box) for plane in (self.luma, self.blue, self.red)])
            page.paste(strip.convert("RGB", _TO_RGB), box)
        return page


def shrunk_plane(plane: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A plane brought to `size`, in memory of its own."""
    return plane.copy() if plane.size == size else shrunk(plane, size)
