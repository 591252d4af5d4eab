"""HEIF pictures as their decoder leaves them: planes of luma and chroma.

pillow-heif asks for RGB, which its library makes as a copy: at 48 megapixels, 144 MB beside 72. These are functions of
the same library (libheif, whose C interface only ever grows).
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ctypes import CDLL, POINTER, Structure, byref, c_char_p, c_int, c_size_t, c_uint8, c_void_p, create_string_buffer
from dataclasses import dataclass
from functools import cache
from typing import Any

import _pillow_heif
from PIL import Image

from ingestion.photos.planes import Planes

_YCBCR = 0
_CHANNELS = (0, 1, 2)
_BITS = 8

# BT.601, and "unspecified", which libheif takes for it; by the numbers of ITU-T H.273, table 4.
_BT_601 = frozenset((2, 5, 6))


class _Outcome(Structure):
    _fields_ = (("code", c_int), ("subcode", c_int), ("message", c_char_p))


class _Nclx(Structure):
    _fields_ = (
        ("version", c_uint8),
        ("primaries", c_int),
        ("transfer", c_int),
        ("matrix", c_int),
        ("is_full_range", c_uint8),
    )


# result and arguments
_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "heif_context_alloc": (c_void_p,),
    "heif_context_free": (None, c_void_p),
    "heif_context_set_max_decoding_threads": (None, c_void_p, c_int),
    "heif_context_read_from_memory_without_copy": (_Outcome, c_void_p, c_char_p, c_size_t, c_void_p),
    "heif_context_get_primary_image_handle": (_Outcome, c_void_p, c_void_p),
    "heif_image_handle_release": (None, c_void_p),
    "heif_image_handle_has_alpha_channel": (c_int, c_void_p),
    "heif_image_handle_get_luma_bits_per_pixel": (c_int, c_void_p),
    "heif_image_handle_get_chroma_bits_per_pixel": (c_int, c_void_p),
    "heif_image_handle_get_preferred_decoding_colorspace": (_Outcome, c_void_p, c_void_p, c_void_p),
    "heif_image_handle_get_raw_color_profile_size": (c_size_t, c_void_p),
    "heif_image_handle_get_raw_color_profile": (_Outcome, c_void_p, c_void_p),
    "heif_decode_image": (_Outcome, c_void_p, c_void_p, c_int, c_int, c_void_p),
    "heif_image_release": (None, c_void_p),
    "heif_image_get_nclx_color_profile": (_Outcome, c_void_p, c_void_p),
    "heif_nclx_color_profile_free": (None, c_void_p),
    "heif_image_get_width": (c_int, c_void_p, c_int),
    "heif_image_get_height": (c_int, c_void_p, c_int),
    "heif_image_get_plane_readonly": (c_void_p, c_void_p, c_int, c_void_p),
}


@dataclass(frozen=True, slots=True)
class HeifPlanes:
    """A decoded picture and its colour profile. The planes are the decoder's memory: take copies, keep none."""

    planes: Planes
    profile: bytes | None


@contextmanager
def decoded_planes(data: bytes) -> Iterator[HeifPlanes | None]:
    """The primary picture of a file, upright; None where it is not opaque, of 8 bits and coded in luma and chroma.

    Raises:
        RuntimeError: the decoder gave up.
    """
    library = _library()
    with ExitStack() as owned:
        context = library.heif_context_alloc()
        owned.callback(library.heif_context_free, context)
        library.heif_context_set_max_decoding_threads(context, 0)
        _check(library.heif_context_read_from_memory_without_copy(context, data, len(data), None))
        handle = c_void_p()
        _check(library.heif_context_get_primary_image_handle(context, byref(handle)))
        owned.callback(library.heif_image_handle_release, handle)
        space, chroma = c_int(), c_int()
        _check(library.heif_image_handle_get_preferred_decoding_colorspace(handle, byref(space), byref(chroma)))
        bits = (
            library.heif_image_handle_get_luma_bits_per_pixel(handle),
            library.heif_image_handle_get_chroma_bits_per_pixel(handle),
        )
        if space.value != _YCBCR or set(bits) != {_BITS} or library.heif_image_handle_has_alpha_channel(handle):
            yield None
            return
        image = c_void_p()
        _check(library.heif_decode_image(handle, byref(image), space, chroma, None))
        owned.callback(library.heif_image_release, image)
        if not _is_coded_as_jfif(library, image):
            yield None
            return
        luma, blue, red = (_plane(library, image, channel) for channel in _CHANNELS)
        yield HeifPlanes(Planes(luma, blue, red), _profile(library, handle))


@cache
def _library() -> CDLL:
    library = CDLL(_pillow_heif.__file__)  # finds what the module itself is linked with
    for name, (result, *arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _check(outcome: _Outcome) -> None:
    if outcome.code:
        raise RuntimeError((outcome.message or b"").decode(errors="replace"))


def _is_coded_as_jfif(library: CDLL, image: c_void_p) -> bool:
    found = POINTER(_Nclx)()
    if library.heif_image_get_nclx_color_profile(image, byref(found)).code:
        return True  # nothing said is JFIF's coding too
    coding = found.contents
    is_jfif = coding.matrix in _BT_601 and bool(coding.is_full_range)
    library.heif_nclx_color_profile_free(found)
    return is_jfif


def _plane(library: CDLL, image: c_void_p, channel: int) -> Image.Image:
    size = library.heif_image_get_width(image, channel), library.heif_image_get_height(image, channel)
    stride = c_int()
    start = library.heif_image_get_plane_readonly(image, channel, byref(stride))
    if not start:
        raise RuntimeError("a plane is missing")
    memory = (c_uint8 * (stride.value * size[1])).from_address(start)
    return Image.frombuffer("L", size, memory, "raw", "L", stride.value, 1)


def _profile(library: CDLL, handle: c_void_p) -> bytes | None:
    size = library.heif_image_handle_get_raw_color_profile_size(handle)
    if not size:
        return None
    profile = create_string_buffer(size)
    _check(library.heif_image_handle_get_raw_color_profile(handle, profile))
    return profile.raw
