"""Real photographs for tests on every machine: those packaged with scikit-image and scikit-learn."""

import io
from importlib.resources import files
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from simulation.pictures.photographs import PHOTOGRAPHS

_PATHS = {photograph.path: photograph.package for photograph in PHOTOGRAPHS}
NAMES = tuple(_PATHS)

LATITUDE, LONGITUDE = 43.467, 11.884  # of every photo of a phone made here


def photograph(name: str) -> Image.Image:
    """A photograph in RGB."""
    with files(_PATHS[name]).joinpath(name).open("rb") as file, Image.open(file) as image:
        return image.convert("RGB")


def of_a_phone(image: Image.Image, photo_format: str = "JPEG", **options: Any) -> bytes:
    """A picture as a phone saves it: with camera, lens, time and location."""
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Model] = "ACME", "Phone 3"
    exif.get_ifd(IFD.Exif).update({Base.DateTimeOriginal.value: "2026:07:04 18:30:05", Base.ISOSpeedRatings.value: 400})
    exif.get_ifd(IFD.GPSInfo).update(
        {
            GPS.GPSLatitudeRef.value: "N",
            GPS.GPSLatitude.value: _degrees(LATITUDE),
            GPS.GPSLongitudeRef.value: "E",
            GPS.GPSLongitude.value: _degrees(LONGITUDE),
        }
    )
    file = io.BytesIO()
    image.save(file, photo_format, exif=exif, **options)
    return file.getvalue()


def _degrees(angle: float) -> tuple[float, float, float]:
    degrees, minutes = int(angle), int(angle % 1 * 60)
    return float(degrees), float(minutes), round((angle - degrees - minutes / 60) * 3600, 3)
