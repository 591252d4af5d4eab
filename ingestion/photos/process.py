"""The steps on the pixels of a photo, in order. They need no server; `sandbox.py` runs them in a child process."""

from dataclasses import dataclass, field

from PIL import Image

from ingestion.photos.location import Location
from ingestion.photos.metadata import CameraFacts, read_metadata
from ingestion.photos.normalise import normalise
from ingestion.photos.perceptual_hash import perceptual_hash
from ingestion.photos.placeholder import Placeholder, make_placeholder
from ingestion.photos.quality import Quality, measure_quality
from ingestion.photos.sizes import FEED_OUTPUTS, Outputs, enough_for, with_free_sizes
from ingestion.photos.steps import StepClock, StepOutcome
from ingestion.photos.validate import Header, PhotoLimits, validate
from ingestion.photos.variants import Variant, make_variants

MODEL_EDGE = 256
# Summaries are made from a picture whose short edge is between this and twice this: they need no finer detail.
OVERVIEW_EDGE = 640


@dataclass(frozen=True, slots=True)
class ProcessedPhoto:
    """The result of processing a photo.

    `model_view` is the input of models: 256 x 256 pixels of RGB by rows, with the photo scaled to a square. It is not
    encoded, so that the worker, which has secrets, decodes nothing. Durations of steps do not count for equality.
    """

    header: Header
    variants: tuple[Variant, ...]
    placeholder: Placeholder
    quality: Quality
    camera: CameraFacts
    perceptual_hash: int
    model_view: bytes = field(repr=False)
    steps: tuple[StepOutcome, ...] = field(default=(), compare=False)
    location: Location | None = field(default=None, repr=False)


def process_photo(
    data: bytes, limits: PhotoLimits, outputs: Outputs = FEED_OUTPUTS, clock: StepClock | None = None
) -> ProcessedPhoto:
    """Validate, normalise, make variants, summarise and measure one photo. `clock` records each step.

    Raises:
        PhotoRejected: with one of the codes of `rejection.py`.
    """
    clock = clock or StepClock()
    with clock.step("validate"):
        header = validate(data, limits)
    with clock.step("normalise"):
        outputs = with_free_sizes(outputs, header.width, header.height)
        image = normalise(data, header, enough_for(outputs.sizes, header.width, header.height))
    with clock.step("variants"):
        variants = make_variants(image, outputs)
    overview = image.reduce(max(1, min(image.size) // OVERVIEW_EDGE))
    with clock.step("placeholder"):
        placeholder = make_placeholder(overview)
    with clock.step("quality"):
        quality = measure_quality(overview)
    with clock.step("metadata"):
        camera, location = read_metadata(data, header)
        phash = perceptual_hash(overview)
        view = overview.resize((MODEL_EDGE, MODEL_EDGE), Image.Resampling.BILINEAR).tobytes()
    return ProcessedPhoto(
        header, variants, placeholder, quality, camera, phash, view, steps=tuple(clock.outcomes), location=location
    )
