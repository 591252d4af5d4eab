"""The first step: checks by its header whether a photo can be processed, before pixels are decoded."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import ExifTags, Image

from ingestion.photos.boxes import boxes, is_truncated
from ingestion.photos.decoder import check_pixels, open_photo, rejecting_damage
from ingestion.photos.foreign import recognise_foreign
from ingestion.photos.formats import PhotoFormat, sniff
from ingestion.photos.heif_items import Picture, shown_picture
from ingestion.photos.jpeg_markers import is_progressive
from ingestion.photos.libheif import UnsupportedError, open_heif
from ingestion.photos.rejection import PhotoRejected

if TYPE_CHECKING:  # not loaded in the sandbox, whose memory is limited
    from photofeed.settings import Settings

UPRIGHT = 1
# A sequential JPEG is shrunk while it is decoded, a few rows at a time, so it may have more pixels (decision 0010).
_SEQUENTIAL_JPEG_FACTOR = 4
_HDR_SHARE = 5 / 6
# Types of items whose pixels are coded in HEVC, and others that the decoder does not read, by ISO/IEC 23008-12.
_HEIF_CODINGS = frozenset((b"hvc1", b"hev1"))
_OTHER_CODINGS = {
    b"av01": "AV1 pictures",
    b"avc1": "H.264 pictures",
    b"jpeg": "JPEG pictures",
    b"j2k1": "JPEG 2000 pictures",
    b"lhv1": "layered HEVC pictures",
    b"vvc1": "VVC pictures",
    b"evc1": "EVC pictures",
    b"unci": "uncompressed pictures",
}
_USUAL_BITS = 8
_RIFF_HEADER = 8  # bytes that the size of a WebP file does not count
_QUARTER_TURNS = frozenset((5, 6, 7, 8))


@dataclass(frozen=True, slots=True)
class PhotoLimits:
    """The accepted formats, and the most bytes of a file and pixels decoded at once."""

    max_bytes: int
    max_pixels: int
    formats: frozenset[PhotoFormat] = frozenset(PhotoFormat)

    @property
    def most_pixels(self) -> int:
        """The most pixels of a photo in any format: that of sequential JPEGs, which are never decoded at full size."""
        return self.max_pixels * _SEQUENTIAL_JPEG_FACTOR

    @property
    def max_hdr_pixels(self) -> int:
        """The most pixels of a HEIC in HDR, whose samples take two bytes."""
        return int(self.max_pixels * _HDR_SHARE)

    def check_size(self, byte_size: int) -> None:
        """Refuse a file that is too large.

        Raises:
            PhotoRejected: `too_large`.
        """
        if byte_size > self.max_bytes:
            raise PhotoRejected("too_large", f"This file is larger than {self.max_bytes // 2**20} MB.")

    @staticmethod
    def of(settings: "Settings") -> "PhotoLimits":
        """The limits on uploads."""
        formats = frozenset(PhotoFormat(name.upper()) for name in settings.upload_formats)
        return PhotoLimits(settings.upload_max_bytes, settings.upload_max_pixels, formats)


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a photo.

    `width` and `height` are those of the upright picture. `orientation` is the EXIF orientation (1 to 8) of the decoded
    picture: 1 for HEIF, whose decoder turns the picture upright.
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
    limits.check_size(len(data))
    photo_format = _recognise(data, limits.formats)
    most_pixels = limits.most_pixels if _is_sequential(data, photo_format) else limits.max_pixels
    if _is_truncated(data, photo_format):
        raise PhotoRejected("truncated", "This photo is incomplete: part of the file is missing.")
    with rejecting_damage(most_pixels):
        if photo_format.is_boxed:
            _check_boxes(data, photo_format, limits)
        if photo_format is PhotoFormat.HEIF:
            (width, height), orientation = _heif_size(data, limits), UPRIGHT
        else:
            with open_photo(data, photo_format) as image:
                (width, height), orientation = _size(data, image, photo_format), _orientation(image)
    check_pixels(width * height, most_pixels)
    if orientation in _QUARTER_TURNS:
        width, height = height, width
    return Header(photo_format, width, height, orientation)


def _recognise(data: bytes, formats: frozenset[PhotoFormat]) -> PhotoFormat:
    photo_format = sniff(data)
    if photo_format in formats:
        return photo_format
    if photo_format is not None:
        raise _not_taken(f"{photo_format.common_name} files", "", formats)
    foreign = recognise_foreign(data)
    if foreign is None:
        raise PhotoRejected("not_an_image", "This file is not an image.")
    raise _not_taken(foreign.name, foreign.advice, formats)


def _not_taken(name: str, advice: str, formats: frozenset[PhotoFormat]) -> PhotoRejected:
    wanted = ", ".join(one.common_name for one in PhotoFormat if one in formats)
    sentences = (f"{name} are not taken.", advice, f"Send one of these: {wanted}.")
    return PhotoRejected("unsupported_format", " ".join(filter(None, sentences)))


def _is_truncated(data: bytes, photo_format: PhotoFormat) -> bool:
    """Whether a file ends before it states. Decoders of these formats call that damage, or do not notice."""
    if photo_format is PhotoFormat.WEBP:
        return _RIFF_HEADER + int.from_bytes(data[4:8], "little") > len(data)
    return photo_format.is_boxed and is_truncated(data)


def _check_boxes(data: bytes, photo_format: PhotoFormat, limits: PhotoLimits) -> None:
    """Refuse what decoders read without an error, or refuse without a reason."""
    shown = shown_picture(data)
    if photo_format is PhotoFormat.HEIF:
        _check_coding(shown, limits)
    elif shown is not None and shown.size is not None:  # libavif calls a picture of too many pixels damaged
        check_pixels(shown.size[0] * shown.size[1], limits.max_pixels)


def _sequence(formats: frozenset[PhotoFormat]) -> PhotoRejected:
    return _not_taken("HEVC image sequences", "Send one picture of it.", formats)


def _check_coding(shown: Picture | None, limits: PhotoLimits) -> None:
    if shown is None:
        raise _sequence(limits.formats)
    if shown.kind and shown.kind not in _HEIF_CODINGS:
        name = _OTHER_CODINGS.get(shown.kind, "an unknown coding")
        raise _not_taken(f"HEIF files with {name}", "Export the photo as JPEG.", limits.formats)


def _size(data: bytes, image: Image.Image, photo_format: PhotoFormat) -> tuple[int, int]:
    """Width and height before turning. Those of an AVIF's header are from before it is cropped."""
    shown = shown_picture(data) if photo_format is PhotoFormat.AVIF else None
    if shown is None or shown.crop is None:
        return image.size
    left, top, right, bottom = shown.crop
    return right - left, bottom - top


def _heif_size(data: bytes, limits: PhotoLimits) -> tuple[int, int]:
    try:
        with open_heif(data) as picture:
            if picture.bits > _USUAL_BITS and _is_hdr(data):
                check_pixels(picture.size[0] * picture.size[1], limits.max_hdr_pixels, " in HDR")
            return picture.size
    except UnsupportedError as error:
        raise _not_taken("HEIF files of this kind", "Export the photo as JPEG.", limits.formats) from error
    except RuntimeError as error:
        if any(box.kind == b"moov" for box in boxes(data)):  # a sequence whose pictures are not items
            raise _sequence(limits.formats) from error
        raise


def _is_hdr(data: bytes) -> bool:
    shown = shown_picture(data)
    return shown is not None and shown.colour is not None and shown.colour.is_hdr


def _is_sequential(data: bytes, photo_format: PhotoFormat) -> bool:
    return photo_format is PhotoFormat.JPEG and not is_progressive(data)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; upright if it is missing or broken, as in viewers."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
    except Exception:  # noqa: BLE001  broken metadata must not cause a photo to be refused
        return UPRIGHT
    return orientation if orientation in range(1, 9) else UPRIGHT
