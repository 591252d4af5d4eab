"""Opens photos with exactly one decoder on one thread, and turns every failure into a rejection."""

import io
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pillow_heif
from PIL import AvifImagePlugin, Image

from ingestion.photos.formats import PhotoFormat
from ingestion.photos.heif_items import with_shown_primary
from ingestion.photos.png import without_unused_chunks
from ingestion.photos.rejection import PhotoRejected

# There is one process per core, so threads of a decoder would only compete with other processes. Embedded thumbnails,
# depth maps and other auxiliary pictures are not used.
pillow_heif.register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

_STATED_PIXELS = re.compile(r"(\d+) pixels")  # in Pillow's errors: those of the picture, and those allowed
_DECODER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, RuntimeError, TypeError, LookupError, struct.error)


def open_photo(data: bytes, photo_format: PhotoFormat) -> Image.Image:
    """Read the header of `data` as `photo_format` and no other format. Pixels are decoded on `load`.

    Call it, and the code that loads the pixels, inside `rejecting_damage`.
    """
    if photo_format is PhotoFormat.PNG:
        data = without_unused_chunks(data)
    elif photo_format.is_boxed:
        data = with_shown_primary(data)
    return Image.open(io.BytesIO(data), formats=[photo_format.value])


def check_pixels(pixels: int, most_pixels: int, where: str = "") -> None:
    """Refuse a picture that is too large. `where` ends the sentence: the photos for which the limit is.

    Raises:
        PhotoRejected: `too_many_pixels`.
    """
    if pixels > most_pixels:
        raise _too_many(pixels, most_pixels, where)


def _too_many(pixels: int, most_pixels: int, where: str = "") -> PhotoRejected:
    sentence = f"This photo has {_megapixels(pixels)} megapixels; {_megapixels(most_pixels)} are allowed{where}."
    return PhotoRejected("too_many_pixels", sentence)


def _megapixels(pixels: int) -> str:
    return f"{pixels / 1e6:.0f}" if pixels >= 10 * 10**6 else f"{pixels / 1e6:.3g}"


@contextmanager
def rejecting_damage(most_pixels: int | None = None) -> Iterator[None]:
    """Turn the exceptions of decoders into `PhotoRejected`: `too_many_pixels`, `truncated` or `damaged`.

    Pillow only warns about decompression bombs up to twice its limit: here the warning is an error, which names
    `most_pixels` as the limit, or else Pillow's. Its other warnings are about metadata, which is not kept.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            pixels, allowed = map(int, _STATED_PIXELS.findall(str(error)))
            raise _too_many(pixels, min(allowed, most_pixels or allowed)) from error
        except _DECODER_ERRORS as error:
            if "truncated" in str(error).lower():
                raise PhotoRejected("truncated", "This photo is incomplete: part of the file is missing.") from error
            raise PhotoRejected("damaged", "This photo is damaged and cannot be read.") from error
