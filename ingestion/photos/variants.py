"""The third step: the sizes and encodings a photo is delivered in."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from PIL import Image

from ingestion.photos.shrinking import REDUCING_GAP
from ingestion.photos.sizes import FEED_OUTPUTS, Outputs, Size, scaled

VariantFormat = Literal["jpeg", "webp", "avif"]


@dataclass(frozen=True, slots=True)
class Encoding:
    """An output format with the settings of its encoder.

    `large` are the settings for pictures of more than `LARGE_PIXELS`, the same where empty; `sizes` are those it is
    for, all where empty.
    """

    format: VariantFormat
    extension: str
    options: Mapping[str, object] = field(default_factory=dict)
    large: Mapping[str, object] = field(default_factory=dict)
    sizes: frozenset[int] = frozenset()


# What is larger is looked at by few, and afterwards: bytes are saved there only where they cost next to nothing.
LARGE_PIXELS = 5_000_000

# Mean of six photos of phones at 1080 wide, one core. JPEG q82: 4 ms 204 kB, optimised 9 ms 201 kB, progressive 20 ms
# 195 kB. WebP q80: method 0 31 ms 164 kB, 2 46 ms 145 kB, 4 103 ms 141 kB, 6 236 ms 135 kB, all within 0.002 SSIM.
# At 3840, photographs of 12 megapixels: JPEG 29 ms 1238 kB, optimised 63 ms 1186 kB; WebP method 0 208 ms 600 kB,
# 1 251 ms 584 kB, 2 340 ms 563 kB.
ENCODINGS = (
    Encoding("jpeg", "jpg", {"quality": 82, "optimize": True}, {"quality": 82}),
    Encoding("webp", "webp", {"quality": 80, "method": 2}, {"quality": 80, "method": 1}),
)
# An option, for the sizes feeds show. Mean of the same kind of photos at 1080 wide: WebP above 39 ms 97 kB SSIM 0.969;
# AVIF q60 speed 10 61 ms 79 kB 0.967, speed 8 222 ms 76 kB 0.969, speed 6 622 ms 71 kB 0.971.
AVIF = Encoding("avif", "avif", {"quality": 60, "speed": 10, "max_threads": 1}, sizes=frozenset((640, 1080)))
_EXTENSIONS = {encoding.format: encoding.extension for encoding in (*ENCODINGS, AVIF)}


@dataclass(frozen=True, slots=True)
class Variant:
    """One delivered file: `size` is the nominal size it was made for, `width` and `height` what it measures."""

    size: int
    format: VariantFormat
    width: int
    height: int
    data: bytes

    @property
    def media_type(self) -> str:
        """The media type to deliver it with."""
        return f"image/{self.format}"

    @property
    def extension(self) -> str:
        """The usual ending of its file's name."""
        return _EXTENSIONS[self.format]

    @property
    def key(self) -> str:
        """Where it is stored: named by its content, so the same picture has the same name for ever."""
        digest = hashlib.sha256(self.data).hexdigest()
        return f"{digest[:2]}/{digest}.{self.extension}"


def make_variants(image: Image.Image, outputs: Outputs = FEED_OUTPUTS) -> tuple[Variant, ...]:
    """Encode `image` (RGB, no metadata) in every size and encoding, largest size first.

    Each size is resized from the size before it where that is large enough, which costs little and loses nothing
    visible.
    """
    encodings = (*ENCODINGS, AVIF) if outputs.avif else ENCODINGS
    variants: list[Variant] = []
    source = image
    files: dict[VariantFormat, bytes] = {}
    for size in sorted(outputs.sizes, key=lambda size: size.pixels, reverse=True):
        picture = _resized(source if _suffices(source, image, size) else image, size)
        if picture is not source:
            files = {}
        for encoding in encodings:
            if encoding.sizes and size.pixels not in encoding.sizes:
                continue
            if encoding.format not in files:
                files[encoding.format] = encode(picture, encoding)
            variants.append(Variant(size.pixels, encoding.format, *picture.size, files[encoding.format]))
        if size.fit != "square":
            source = picture
    return tuple(variants)


def _suffices(source: Image.Image, original: Image.Image, size: Size) -> bool:
    """Whether `size` can be made from `source` without losing pixels that `original` has."""
    wanted = scaled(*original.size, size.scale(*original.size))
    return source.width >= wanted[0] and source.height >= wanted[1]


def _resized(image: Image.Image, size: Size) -> Image.Image:
    """`image` shrunk to `size`, cropped around its middle where that is a square."""
    if size.fit == "square":
        edge = min(image.size)
        left, top = (image.width - edge) / 2, (image.height - edge) / 2
        target = min(edge, size.pixels)
        return image.resize((target, target), Image.Resampling.LANCZOS, (left, top, left + edge, top + edge))
    target_size = scaled(*image.size, size.scale(*image.size))
    if target_size == image.size:
        return image
    return image.resize(target_size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)


def encode(image: Image.Image, encoding: Encoding) -> bytes:
    """The file of one picture."""
    file = io.BytesIO()
    is_large = image.width * image.height > LARGE_PIXELS
    image.save(file, encoding.format, **(encoding.large if is_large and encoding.large else encoding.options))
    return file.getvalue()
