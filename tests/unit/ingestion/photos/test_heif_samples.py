"""HEIC files of phones against the decoder of Debian's libheif-examples, where that is installed."""

import io
import shutil
from pathlib import Path

import pytest
from PIL import Image

from ingestion.photos.process import process_photo
from ingestion.photos.validate import PhotoLimits
from tools.photo_cases.comparison import ssim
from tools.photo_cases.references import reference_of

PROGRAM = "heif-convert"


def test_every_sample_shows_the_picture_that_heif_convert_shows(samples: Path, limits: PhotoLimits) -> None:
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"{PROGRAM} is missing (install libheif-examples)")
    paths = sorted((samples / "photos" / "heic").iterdir())
    assert len(paths) == 3
    for path in paths:
        photo = process_photo(path.read_bytes(), limits)
        delivered = next(v.data for v in photo.variants if (v.size, v.format) == (640, "jpeg"))
        with Image.open(io.BytesIO(delivered)) as image:
            assert max(ssim(image, one) for one in reference_of(PROGRAM, path)().images) > 0.95, path.name
