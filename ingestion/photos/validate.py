"""The first step: is this a photo that can be processed, judged from its header before any pixel is decoded."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import ExifTags, Image

from ingestion.photos.boxes import is_truncated
from ingestion.photos.decoder import open_photo, rejecting_damage
from ingestion.photos.formats import PhotoFormat, foreign_name, sniff
from ingestion.photos.rejection import PhotoRejected

if TYPE_CHECKING:  # the sandbox, whose memory is counted, has none
    from photofeed.settings import Settings

UPRIGHT = 1
# A sequential JPEG is decoded shrunk, in a few rows at a time, so it may have more pixels (decision 0010).
_SEQUENTIAL_JPEG_FACTOR = 4
_QUARTER_TURNS = frozenset((5, 6, 7, 8))


@dataclass(frozen=True, slots=True)
class PhotoLimits:
    """The largest photo that is accepted, in bytes of the file and in pixels decoded at once, and of which formats."""

    max_bytes: int
    max_pixels: int
    formats: frozenset[PhotoFormat] = frozenset(PhotoFormat)

    @property
    def most_pixels(self) -> int:
        """Pixels of the largest photo of any format: sequential JPEGs are never decoded whole."""
        return self.max_pixels * _SEQUENTIAL_JPEG_FACTOR

    @staticmethod
    def of(settings: "Settings") -> "PhotoLimits":
        """The limits on uploads."""
        formats = frozenset(PhotoFormat(name.upper()) for name in settings.upload_formats)
        return PhotoLimits(settings.upload_max_bytes, settings.upload_max_pixels, formats)


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a photo says.

    `width` and `height` are those of the upright picture. `orientation` is the EXIF orientation (1 to 8) that
    decoding leaves to be undone: 1 for HEIF, whose decoder has already turned the picture.
    """

    format: PhotoFormat
    width: int
    height: int
    orientation: int

    @property
    def is_turned(self) -> bool:
        """Whether width and height are swapped in the file."""
        return self.orientation in _QUARTER_TURNS


def validate(data: bytes, limits: PhotoLimits) -> Header:
    """Read the header of `data`.

    Raises:
        PhotoRejected: `empty`, `too_large`, `not_an_image`, `unsupported_format`, `truncated`, `damaged` or
            `too_many_pixels`.
    """
    if not data:
        raise PhotoRejected("empty", "This file is empty.")
    if len(data) > limits.max_bytes:
        raise PhotoRejected("too_large", f"This file is larger than {limits.max_bytes // 2**20} MB.")
    photo_format = _recognise(data, limits.formats)
    if photo_format.is_boxed and is_truncated(data):
        raise PhotoRejected("truncated", "This photo is incomplete: part of the file is missing.")
    with rejecting_damage(), open_photo(data, photo_format) as image:
        width, height = image.size
        orientation = UPRIGHT if photo_format is PhotoFormat.HEIF else _orientation(image)
        is_sequential = photo_format is PhotoFormat.JPEG and "progressive" not in image.info
    most_pixels = limits.most_pixels if is_sequential else limits.max_pixels
    if width * height > most_pixels:
        raise PhotoRejected(
            "too_many_pixels",
            f"This photo has {width * height / 1e6:.0f} megapixels; {most_pixels / 1e6:.0f} are allowed.",
        )
    if orientation in _QUARTER_TURNS:
        width, height = height, width
    return Header(photo_format, width, height, orientation)


def _recognise(data: bytes, formats: frozenset[PhotoFormat]) -> PhotoFormat:
    photo_format = sniff(data)
    if photo_format in formats:
        return photo_format
    name = foreign_name(data) if photo_format is None else photo_format.common_name
    if name is None:
        raise PhotoRejected("not_an_image", "This file is not an image.")
    wanted = ", ".join(one.common_name for one in PhotoFormat if one in formats)
    raise PhotoRejected("unsupported_format", f"{name} files are not taken. Send one of these: {wanted}.")


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, upright where there is none or the EXIF is broken: viewers do the same."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
    except Exception:  # noqa: BLE001  any nonsense in metadata must not cost anyone their photo
        return UPRIGHT
    return orientation if orientation in range(1, 9) else UPRIGHT
