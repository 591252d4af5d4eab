"""HEIF pictures in the form in which they are decoded: planes of luma and chroma, or pixels in RGB.

pillow-heif requests RGB, which its library makes as a copy: at 48 megapixels, 144 MB in addition to 72. It also chooses
the picture by a rule of its own. The functions here are those of the same library, libheif, whose C interface only adds
functions.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ctypes import (
    CDLL,
    POINTER,
    Structure,
    byref,
    c_char_p,
    c_int,
    c_size_t,
    c_uint8,
    c_void_p,
    cast,
    create_string_buffer,
)
from dataclasses import dataclass
from functools import cache
from typing import Any

import _pillow_heif
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ingestion.photos.heif_items import with_shown_primary
from ingestion.photos.planes import Planes

_YCBCR, _RGB = 0, 1
_CHANNELS = (0, 1, 2)
_INTERLEAVED, _INTERLEAVED_RGB, _INTERLEAVED_RGBA = 10, 10, 11
_BITS = 8
_UNSUPPORTED = (3, 4)  # codes of errors: type of file, and feature

# BT.601, and "unspecified", which libheif treats as BT.601; numbers of ITU-T H.273, table 4.
_BT_601 = frozenset((2, 5, 6))


class UnsupportedError(RuntimeError):
    """The file is valid, and the decoder does not read it."""


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


class _Options(Structure):
    """The options of a decoder, version 8 and later, which are allocated and filled by libheif."""

    _fields_ = (
        ("version", c_uint8),
        ("ignore_transformations", c_uint8),
        ("progress", c_void_p * 4),
        ("convert_hdr_to_8bit", c_uint8),
        ("strict_decoding", c_uint8),
        ("decoder", c_char_p),
        ("conversion", c_int * 4),
        ("cancel", c_void_p),
        ("more_conversion", c_void_p),
        ("ignore_edit_list", c_int),
        ("output_nclx", c_void_p),
    )


_FIRST_VERSION_WITH_OUTPUT_NCLX = 8

# Function -> types of its result and its arguments.
_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "heif_context_alloc": (c_void_p,),
    "heif_context_free": (None, c_void_p),
    "heif_context_set_max_decoding_threads": (None, c_void_p, c_int),
    "heif_context_read_from_memory_without_copy": (_Outcome, c_void_p, c_char_p, c_size_t, c_void_p),
    "heif_context_get_primary_image_handle": (_Outcome, c_void_p, c_void_p),
    "heif_image_handle_release": (None, c_void_p),
    "heif_image_handle_get_width": (c_int, c_void_p),
    "heif_image_handle_get_height": (c_int, c_void_p),
    "heif_image_handle_has_alpha_channel": (c_int, c_void_p),
    "heif_image_handle_get_luma_bits_per_pixel": (c_int, c_void_p),
    "heif_image_handle_get_chroma_bits_per_pixel": (c_int, c_void_p),
    "heif_image_handle_get_preferred_decoding_colorspace": (_Outcome, c_void_p, c_void_p, c_void_p),
    "heif_image_handle_get_raw_color_profile_size": (c_size_t, c_void_p),
    "heif_image_handle_get_raw_color_profile": (_Outcome, c_void_p, c_void_p),
    "heif_image_handle_get_nclx_color_profile": (_Outcome, c_void_p, c_void_p),
    "heif_decoding_options_alloc": (POINTER(_Options),),
    "heif_decoding_options_free": (None, c_void_p),
    "heif_decode_image": (_Outcome, c_void_p, c_void_p, c_int, c_int, c_void_p),
    "heif_image_release": (None, c_void_p),
    "heif_image_get_nclx_color_profile": (_Outcome, c_void_p, c_void_p),
    "heif_nclx_color_profile_free": (None, c_void_p),
    "heif_image_get_width": (c_int, c_void_p, c_int),
    "heif_image_get_height": (c_int, c_void_p, c_int),
    "heif_image_get_plane_readonly": (c_void_p, c_void_p, c_int, c_void_p),
}


@dataclass(frozen=True, slots=True)
class DeepPlanes:
    """Planes of more than 8 bits: `samples` are those of luma, blue and red chroma, (rows, columns), 16-bit.

    `matrix` is the number of the matrix in H.273, table 4. They are the decoder's memory: copy what you keep.
    """

    samples: tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint16]]
    bits: int
    matrix: int
    is_full_range: bool


@dataclass(frozen=True, slots=True)
class HeifPicture:
    """The picture that a file shows, upright; `size` is its width and height.

    Pictures that methods return are the decoder's memory, which is released with the file: copy what you keep. They
    raise RuntimeError if the decoder fails, or decodes a picture of another size.
    """

    size: tuple[int, int]
    profile: bytes | None
    _library: CDLL
    _handle: c_void_p
    _images: ExitStack

    @property
    def is_opaque(self) -> bool:
        """Whether it has no alpha channel."""
        return not self._library.heif_image_handle_has_alpha_channel(self._handle)

    @property
    def bits(self) -> int:
        """Bits of a sample of luma."""
        return int(self._library.heif_image_handle_get_luma_bits_per_pixel(self._handle))

    def planes(self) -> Planes | None:
        """Its planes. None unless it is opaque, 8-bit and coded in luma and chroma as in JFIF."""
        space, chroma = self._preferred()
        chroma_bits = self._library.heif_image_handle_get_chroma_bits_per_pixel(self._handle)
        if space != _YCBCR or {self.bits, chroma_bits} != {_BITS} or not self.is_opaque:
            return None
        image = self._decode(space, chroma)
        coding = self._coding(image)
        if coding is not None and not (coding.matrix in _BT_601 and coding.is_full_range):
            self._images.close()
            return None
        luma, blue, red = (self._plane(image, channel, "L") for channel in _CHANNELS)
        self._check_size(luma.size)
        return Planes(luma, blue, red)

    def deep_planes(self) -> DeepPlanes | None:
        """Its planes. None unless it is opaque, of more than 8 bits, and coded in luma and chroma."""
        space, chroma = self._preferred()
        if space != _YCBCR or self.bits <= _BITS or not self.is_opaque:
            return None
        image = self._decode(space, chroma, self._unconverted())
        coding = self._coding(image)
        if coding is None:
            self._images.close()
            return None
        luma, blue, red = (self._samples(image, channel) for channel in _CHANNELS)
        self._check_size(luma.shape[::-1])
        return DeepPlanes((luma, blue, red), self.bits, coding.matrix, bool(coding.is_full_range))

    def pixels(self) -> Image.Image:
        """The picture in RGB or RGBA, 8-bit."""
        mode, chroma = ("RGB", _INTERLEAVED_RGB) if self.is_opaque else ("RGBA", _INTERLEAVED_RGBA)
        image = self._plane(self._decode(_RGB, chroma), _INTERLEAVED, mode)
        self._check_size(image.size)
        return image

    def _preferred(self) -> tuple[int, int]:
        space, chroma = c_int(), c_int()
        _check(
            self._library.heif_image_handle_get_preferred_decoding_colorspace(self._handle, byref(space), byref(chroma))
        )
        return space.value, chroma.value

    def _unconverted(self) -> Any:
        """Options with which the samples stay coded as in the file. By default they are converted, which takes memory.

        None, which is the default, if the file states no coding.
        """
        stated = POINTER(_Nclx)()
        if self._library.heif_image_handle_get_nclx_color_profile(self._handle, byref(stated)).code:
            return None
        self._images.callback(self._library.heif_nclx_color_profile_free, stated)
        options = self._library.heif_decoding_options_alloc()
        self._images.callback(self._library.heif_decoding_options_free, options)
        if options.contents.version < _FIRST_VERSION_WITH_OUTPUT_NCLX:
            return None
        options.contents.output_nclx = cast(stated, c_void_p)
        return options

    def _decode(self, space: int, chroma: int, options: Any = None) -> c_void_p:
        image = c_void_p()
        _check(self._library.heif_decode_image(self._handle, byref(image), space, chroma, options))
        self._images.callback(self._library.heif_image_release, image)
        return image

    def _coding(self, image: c_void_p) -> "_Nclx | None":
        """How the samples are coded; None, which is as in JFIF, if the file does not state it."""
        found = POINTER(_Nclx)()
        if self._library.heif_image_get_nclx_color_profile(image, byref(found)).code:
            return None
        self._images.callback(self._library.heif_nclx_color_profile_free, found)
        return found.contents

    def _check_size(self, size: tuple[int, ...]) -> None:
        if size != self.size:
            raise RuntimeError(f"decoded {size}, and the file states {self.size}")

    def _plane(self, image: c_void_p, channel: int, mode: str) -> Image.Image:
        memory, size, stride = self._memory(image, channel)
        return Image.frombuffer(mode, size, memory, "raw", mode, stride, 1)

    def _samples(self, image: c_void_p, channel: int) -> NDArray[np.uint16]:
        memory, (width, _), stride = self._memory(image, channel)
        samples: NDArray[np.uint16] = np.frombuffer(memory, np.uint8).reshape(-1, stride).view(np.uint16)[:, :width]
        return samples

    def _memory(self, image: c_void_p, channel: int) -> tuple[Any, tuple[int, int], int]:
        size = tuple(
            getattr(self._library, name)(image, channel) for name in ("heif_image_get_width", "heif_image_get_height")
        )
        stride = c_int()
        start = self._library.heif_image_get_plane_readonly(image, channel, byref(stride))
        if not start:
            raise RuntimeError("a plane is missing")
        return (c_uint8 * (stride.value * size[1])).from_address(start), (size[0], size[1]), stride.value


@contextmanager
def open_heif(data: bytes) -> Iterator[HeifPicture]:
    """The picture that a file shows.

    Raises:
        RuntimeError: the file cannot be read.
    """
    library = _library()
    data = with_shown_primary(data)
    with ExitStack() as owned:
        context = library.heif_context_alloc()
        owned.callback(library.heif_context_free, context)
        library.heif_context_set_max_decoding_threads(context, 0)
        _check(library.heif_context_read_from_memory_without_copy(context, data, len(data), None))
        handle = c_void_p()
        _check(library.heif_context_get_primary_image_handle(context, byref(handle)))
        owned.callback(library.heif_image_handle_release, handle)
        size = library.heif_image_handle_get_width(handle), library.heif_image_handle_get_height(handle)
        yield HeifPicture(size, _profile(library, handle), library, handle, owned.enter_context(ExitStack()))


@cache
def _library() -> CDLL:
    library = CDLL(_pillow_heif.__file__)  # resolves the functions that the module is linked with
    for name, (result, *arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _check(outcome: _Outcome) -> None:
    if outcome.code:
        kind = UnsupportedError if outcome.code in _UNSUPPORTED else RuntimeError
        raise kind((outcome.message or b"").decode(errors="replace"))


def _profile(library: CDLL, handle: c_void_p) -> bytes | None:
    size = library.heif_image_handle_get_raw_color_profile_size(handle)
    if not size:
        return None
    profile = create_string_buffer(size)
    _check(library.heif_image_handle_get_raw_color_profile(handle, profile))
    return profile.raw
