"""Encodes a picture as a phone would: JPEG or HEIC with EXIF, often rotated, sometimes with GPS coordinates."""

import io
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pillow_heif
from PIL import ExifTags, Image

pillow_heif.register_heif_opener()

HEIC_SHARE = 0.1
ROTATED_SHARE = 0.4
GPS_SHARE = 0.5

_ROTATIONS = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


@dataclass(frozen=True, slots=True)
class Phone:
    """An invented phone and its lens."""

    maker: str
    model: str
    aperture: float
    focal_length: float


PHONES = (
    Phone("Lumen", "Lumen 5 Pro", 1.8, 5.6),
    Phone("Lumen", "Lumen 4a", 2.0, 4.4),
    Phone("Hyla", "Hyla One", 1.7, 6.1),
    Phone("Hyla", "Hyla Mini", 2.2, 3.9),
    Phone("Orra", "Orra X2", 1.9, 5.2),
)


@dataclass(frozen=True, slots=True)
class Shot:
    """An encoded picture."""

    data: bytes
    media_type: str


def shoot(rng: np.random.Generator, image: Image.Image, taken_at: datetime) -> Shot:
    """Encode `image` (upright) as one of `PHONES` would.

    A rotated picture is stored in the orientation of the sensor, with the EXIF orientation that reverses the rotation.
    """
    phone = PHONES[rng.integers(len(PHONES))]
    orientation = int(rng.choice([6, 6, 8, 3])) if rng.random() < ROTATED_SHARE else 1
    stored = image.transpose(_ROTATIONS[orientation]) if orientation in _ROTATIONS else image
    exif = _exif(rng, phone, orientation, stored.size, taken_at)
    file = io.BytesIO()
    if rng.random() < HEIC_SHARE:
        # HEVC at the default preset would take longer than painting; phones encode it in hardware
        stored.save(file, "HEIF", quality=62, exif=exif, enc_params={"preset": "ultrafast"})
        return Shot(file.getvalue(), "image/heic")
    stored.save(file, "JPEG", quality=int(rng.integers(88, 93)), exif=exif)
    return Shot(file.getvalue(), "image/jpeg")


def _exif(rng: np.random.Generator, phone: Phone, orientation: int, size: tuple[int, int], taken_at: datetime) -> bytes:
    exif = Image.Exif()
    moment = taken_at.strftime("%Y:%m:%d %H:%M:%S")
    exif[ExifTags.Base.Make] = phone.maker
    exif[ExifTags.Base.Model] = phone.model
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.DateTime] = moment
    exif[ExifTags.Base.Software] = f"{phone.maker} Camera {rng.integers(2, 9)}.{rng.integers(10)}"
    exif.get_ifd(ExifTags.IFD.Exif).update(
        {
            ExifTags.Base.DateTimeOriginal: moment,
            ExifTags.Base.OffsetTimeOriginal: "+00:00",
            ExifTags.Base.ExposureTime: 1 / int(rng.choice([30, 60, 125, 250, 500, 1000])),
            ExifTags.Base.FNumber: phone.aperture,
            ExifTags.Base.ISOSpeedRatings: int(rng.choice([50, 64, 100, 200, 400, 800])),
            ExifTags.Base.FocalLength: phone.focal_length,
            ExifTags.Base.ExifImageWidth: size[0],
            ExifTags.Base.ExifImageHeight: size[1],
        }
    )
    if rng.random() < GPS_SHARE:
        latitude, longitude = rng.uniform(-55, 68), rng.uniform(-180, 180)
        exif.get_ifd(ExifTags.IFD.GPSInfo).update(
            {
                ExifTags.GPS.GPSLatitudeRef: "N" if latitude >= 0 else "S",
                ExifTags.GPS.GPSLatitude: _degrees(latitude),
                ExifTags.GPS.GPSLongitudeRef: "E" if longitude >= 0 else "W",
                ExifTags.GPS.GPSLongitude: _degrees(longitude),
                ExifTags.GPS.GPSAltitude: float(rng.integers(0, 3000)),
            }
        )
    return exif.tobytes()


def _degrees(angle: float) -> tuple[float, float, float]:
    """Degrees, minutes and seconds of the absolute angle."""
    minutes, seconds = divmod(round(abs(angle) * 3600), 60)
    degrees, minutes = divmod(minutes, 60)
    return float(degrees), float(minutes), float(seconds)
