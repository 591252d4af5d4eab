"""A picture as its decoder gives it, before colours are managed."""

from dataclasses import dataclass

from PIL import Image

from ingestion.photos.colour import ColourSpace


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture, and the colours that its file states: a profile, a colour space by numbers, both or neither."""

    image: Image.Image
    profile: bytes | None = None
    space: ColourSpace | None = None
