"""What the camera recorded in a photo, as far as it is kept.

It is kept in PostgreSQL, the location only for owners who chose that (`location.py`). Delivered files have no metadata.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from PIL.ExifTags import IFD, Base

from ingestion.photos.decoder import open_photo, rejecting_damage
from ingestion.photos.location import Location, location_of
from ingestion.photos.validate import Header

_LONGEST_TEXT = 80
_MOST_ISO = 10_000_000
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)")
_LARGEST_OFFSET = timedelta(hours=15)


@dataclass(frozen=True, slots=True)
class CameraFacts:
    """Facts of the exposure; None if they are missing or not plausible.

    `exposure_seconds` and `focal_length_mm` are in the unit of their name, `aperture` is the f-number. `captured_at` is
    the time of the camera's clock, with its UTC offset if the camera recorded it, otherwise without a time zone.
    """

    make: str | None = None
    model: str | None = None
    lens: str | None = None
    exposure_seconds: float | None = None
    aperture: float | None = None
    iso: int | None = None
    focal_length_mm: float | None = None
    captured_at: datetime | None = None


def read_metadata(data: bytes, header: Header) -> tuple[CameraFacts, Location | None]:
    """Read the EXIF data of a photo. Broken EXIF counts as missing."""
    try:
        with rejecting_damage(), open_photo(data, header.format) as photo:
            exif = photo.getexif()
            return camera_facts({**exif, **exif.get_ifd(IFD.Exif)}), location_of(exif.get_ifd(IFD.GPSInfo))
    except Exception:  # noqa: BLE001  broken metadata must not cause a photo to be refused
        return CameraFacts(), None


def camera_facts(exif: Mapping[int, Any]) -> CameraFacts:
    """The facts among EXIF tags (EXIF 2.32, section 4.6), by number."""
    iso = _positive(exif.get(Base.ISOSpeedRatings))
    return CameraFacts(
        make=_text(exif.get(Base.Make)),
        model=_text(exif.get(Base.Model)),
        lens=_text(exif.get(Base.LensModel)),
        exposure_seconds=_positive(exif.get(Base.ExposureTime)),
        aperture=_positive(exif.get(Base.FNumber)),
        iso=None if iso is None or iso > _MOST_ISO else round(iso),
        focal_length_mm=_positive(exif.get(Base.FocalLength)),
        captured_at=_moment(exif.get(Base.DateTimeOriginal), exif.get(Base.OffsetTimeOriginal)),
    )


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if not isinstance(value, str):
        return None
    plain = "".join(character for character in value if character.isprintable()).strip()
    return plain[:_LONGEST_TEXT] or None


def _positive(value: Any) -> float | None:
    if isinstance(value, tuple):  # some cameras give ISO as a list of one
        value = value[0] if value else None
    try:
        number = float(value)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _moment(value: Any, offset: Any) -> datetime | None:
    try:
        moment = datetime.strptime(_text(value) or "", "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007  the zone comes apart
    except ValueError:
        return None
    match = _OFFSET.fullmatch(_text(offset) or "")
    if match is None:
        return moment
    distance = timedelta(hours=int(match[2]), minutes=int(match[3])) * (-1 if match[1] == "-" else 1)
    return moment.replace(tzinfo=timezone(distance)) if abs(distance) <= _LARGEST_OFFSET else moment
