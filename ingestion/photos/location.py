"""Where a photo was taken, for owners who want that kept. It is shown to nobody else."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL.ExifTags import GPS

_DECIMALS = 6  # a tenth of a metre


@dataclass(frozen=True, slots=True)
class Location:
    """Degrees north and east, WGS 84."""

    latitude: float
    longitude: float


def location_of(tags: Mapping[int, Any]) -> Location | None:
    """The location among the tags of EXIF's GPS directory (EXIF 2.32, section 4.6.6); None where there is none."""
    latitude = _degrees(tags.get(GPS.GPSLatitude), 90)
    longitude = _degrees(tags.get(GPS.GPSLongitude), 180)
    if latitude is None or longitude is None:
        return None
    return Location(
        -latitude if _is(tags.get(GPS.GPSLatitudeRef), "S") else latitude,
        -longitude if _is(tags.get(GPS.GPSLongitudeRef), "W") else longitude,
    )


def _degrees(value: Any, most: float) -> float | None:
    """Degrees, minutes and seconds as degrees; None for what is no such angle."""
    try:
        degrees, minutes, seconds = map(float, value)
    except (TypeError, ValueError, ArithmeticError):
        return None
    angle = degrees + minutes / 60 + seconds / 3600
    return round(angle, _DECIMALS) if math.isfinite(angle) and 0 <= angle <= most else None


def _is(value: Any, direction: str) -> bool:
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    return isinstance(text, str) and text[:1].upper() == direction
