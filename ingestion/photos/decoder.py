"""Opening photos with exactly one decoder, single-threaded, with every failure turned into a rejection."""

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pillow_heif
from PIL import AvifImagePlugin, Image

from ingestion.photos.formats import PhotoFormat
from ingestion.photos.rejection import PhotoRejected

# One process per core is the model, so a decoder with threads of its own would only fight its neighbours. Embedded
# thumbnails, depth maps and other auxiliary pictures are never wanted.
pillow_heif.register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

_DECODER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, RuntimeError, TypeError, LookupError, struct.error)


def open_photo(data: bytes, photo_format: PhotoFormat) -> Image.Image:
    """Read the header of `data` as `photo_format` and as nothing else; pixels are decoded on `load`.

    Call it, and whatever loads the pixels, inside `rejecting_damage`.
    """
    return Image.open(io.BytesIO(data), formats=[photo_format.value])


@contextmanager
def rejecting_damage() -> Iterator[None]:
    """Turn whatever a decoder raises into `PhotoRejected`: `too_many_pixels`, `truncated` or `damaged`.

    Pillow only warns about decompression bombs up to twice its limit: here the warning is an error. Its other
    warnings are about metadata, which is thrown away anyway.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise PhotoRejected("too_many_pixels", "This photo has more pixels than can be processed.") from error
        except _DECODER_ERRORS as error:
            if "truncated" in str(error).lower():
                raise PhotoRejected("truncated", "This photo is incomplete: part of the file is missing.") from error
            raise PhotoRejected("damaged", "This photo is damaged and cannot be read.") from error
