"""The third step: encodes a photo in the sizes and formats in which it is delivered."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from PIL import Image

from ingestion.photos.salience import square_focus
from ingestion.photos.shrinking import REDUCING_GAP
from ingestion.photos.sizes import FEED_OUTPUTS, Outputs, Size, scaled

VariantFormat = Literal["jpeg", "webp", "avif"]


@dataclass(frozen=True, slots=True)
class Encoding:
    """An output format with the settings of its encoder.

    `large` has the settings for pictures of more than `LARGE_PIXELS`; the same if empty. `sizes` are the sizes that
    have this format; all if empty.
    """

    format: VariantFormat
    extension: str
    options: Mapping[str, object] = field(default_factory=dict)
    large: Mapping[str, object] = field(default_factory=dict)
    sizes: frozenset[int] = frozenset()


# Larger pictures are viewed rarely, so their encoders spend little time on saving bytes.
LARGE_PIXELS = 5_000_000

# Mean of six phone photos at a width of 1080 on one core. JPEG q82: 4 ms and 204 kB, optimised 9 ms and 201 kB,
# progressive 20 ms and 195 kB. WebP q80, by method: 0 takes 31 ms and 164 kB, 2 46 ms and 145 kB, 4 103 ms and 141 kB,
# 6 236 ms and 135 kB, all within 0.002 SSIM. At 3840, from 12 megapixels: JPEG 29 ms and 1238 kB, optimised 63 ms and
# 1186 kB; WebP method 0 208 ms and 600 kB, 1 251 ms and 584 kB, 2 340 ms and 563 kB.
ENCODINGS = (
    Encoding("jpeg", "jpg", {"quality": 82, "optimize": True}, {"quality": 82}),
    Encoding("webp", "webp", {"quality": 80, "method": 2}, {"quality": 80, "method": 1}),
)
# Optional, for the sizes of feeds. Mean of the same kind of photos at a width of 1080: WebP as above 39 ms, 97 kB and
# SSIM 0.969; AVIF q60 at speed 10 61 ms, 79 kB and 0.967, at 8 222 ms, 76 kB and 0.969, at 6 622 ms, 71 kB and 0.971.
AVIF = Encoding("avif", "avif", {"quality": 60, "speed": 10, "max_threads": 1}, sizes=frozenset((640, 1080)))
_EXTENSIONS = {encoding.format: encoding.extension for encoding in (*ENCODINGS, AVIF)}


@dataclass(frozen=True, slots=True)
class Variant:
    """One delivered file: `size` is its nominal size, `width` and `height` are its dimensions."""

    size: int
    format: VariantFormat
    width: int
    height: int
    data: bytes

    @property
    def media_type(self) -> str:
        """The media type of the file."""
        return f"image/{self.format}"

    @property
    def extension(self) -> str:
        """The file name extension."""
        return _EXTENSIONS[self.format]

    @property
    def key(self) -> str:
        """The object key, by content: the same file always has the same key."""
        digest = hashlib.sha256(self.data).hexdigest()
        return f"{digest[:2]}/{digest}.{self.extension}"


def make_variants(image: Image.Image, outputs: Outputs = FEED_OUTPUTS) -> tuple[Variant, ...]:
    """Encode `image` (RGB, no metadata) in every size and encoding, largest size first.

    Each size is made from the previous size if that is large enough, which is cheap and loses nothing visible. All
    squares show the same part of the picture.
    """
    encodings = (*ENCODINGS, AVIF) if outputs.avif else ENCODINGS
    variants: list[Variant] = []
    source = image
    files: dict[VariantFormat, bytes] = {}
    focus: float | None = None
    for size in sorted(outputs.sizes, key=lambda size: size.pixels, reverse=True):
        larger = source if _suffices(source, image, size) else image
        if size.fit == "square":
            focus = square_focus(larger) if focus is None else focus
            picture = _square(larger, size, focus)
        else:
            picture = _resized(larger, size)
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


def _square(image: Image.Image, size: Size, focus: float) -> Image.Image:
    """The square of `image` at `focus` (0 to 1 along its long edge), shrunk to `size`."""
    edge = min(image.size)
    left, top = (image.width - edge) * focus, (image.height - edge) * focus
    target = min(edge, size.pixels)
    return image.resize((target, target), Image.Resampling.LANCZOS, (left, top, left + edge, top + edge))


def _resized(image: Image.Image, size: Size) -> Image.Image:
    """`image` shrunk to `size`; the same object if that is its own size."""
    target_size = scaled(*image.size, size.scale(*image.size))
    if target_size == image.size:
        return image
    return image.resize(target_size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)


def encode(image: Image.Image, encoding: Encoding) -> bytes:
    """The encoded file of a picture."""
    file = io.BytesIO()
    is_large = image.width * image.height > LARGE_PIXELS
    image.save(file, encoding.format, **(encoding.large if is_large and encoding.large else encoding.options))
    return file.getvalue()
