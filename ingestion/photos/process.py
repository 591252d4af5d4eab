"""All that is done to the pixels of a photo, in order. Needs no server; `sandbox.py` runs it in a child process."""

from dataclasses import dataclass

from ingestion.photos.normalise import normalise
from ingestion.photos.placeholder import Placeholder, make_placeholder
from ingestion.photos.quality import Quality, measure_quality
from ingestion.photos.sizes import FEED_SIZES, Size, enough_for
from ingestion.photos.validate import Header, PhotoLimits, validate
from ingestion.photos.variants import Variant, make_variants


@dataclass(frozen=True, slots=True)
class ProcessedPhoto:
    """What the pixels of a photo became."""

    header: Header
    variants: tuple[Variant, ...]
    placeholder: Placeholder
    quality: Quality


def process_photo(data: bytes, limits: PhotoLimits, sizes: tuple[Size, ...] = FEED_SIZES) -> ProcessedPhoto:
    """Validate, normalise, make variants, summarise and measure one photo.

    Raises:
        PhotoRejected: with one of the codes of `rejection.py`.
    """
    header = validate(data, limits)
    image = normalise(data, header, enough_for(sizes, header.width, header.height))
    variants = make_variants(image, sizes)
    placeholder = make_placeholder(image)
    quality = measure_quality(image)
    return ProcessedPhoto(header, variants, placeholder, quality)
