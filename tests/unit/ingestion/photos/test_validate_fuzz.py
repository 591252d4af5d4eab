"""Any bytes have a valid header or are refused with a reason for the user."""

import io
from typing import get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ingestion.photos.rejection import PhotoRejected, RejectionCode
from ingestion.photos.validate import Header, PhotoLimits, validate

LIMITS = PhotoLimits(max_bytes=100_000, max_pixels=1_000_000)
_WORDS = st.sampled_from(
    [b"\x00" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"ftyp", b"meta", b"IHDR"]
)


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    y, x = np.mgrid[0:36, 0:48]
    image = Image.fromarray(np.stack([x * 5, y * 7, (x + y) * 3], axis=-1).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    encoded = []
    for image_format in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF"):
        file = io.BytesIO()
        image.save(file, image_format, **({} if image_format == "GIF" else {"exif": exif.tobytes()}))
        encoded.append(file.getvalue())
    return encoded


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    which=st.integers(0, 5),
    other=st.integers(0, 5),
    edits=st.lists(
        st.tuples(
            st.sampled_from(["overwrite", "insert", "delete", "repeat", "splice"]),
            st.floats(0, 0.999),
            st.integers(1, 40),
            st.one_of(_WORDS, st.binary(min_size=1, max_size=8)),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_mangled_files_have_a_header_or_are_rejected(
    which: int, other: int, edits: list[tuple[str, float, int, bytes]], files: list[bytes]
) -> None:
    data = files[which]
    for kind, place, length, value in edits:
        at = int(place * len(data))
        match kind:
            case "overwrite":
                data = data[:at] + value + data[at + len(value) :]
            case "insert":
                data = data[:at] + value + data[at:]
            case "delete":
                data = data[:at] + data[at + length :]
            case "repeat":
                data = data[:at] + data[at : at + length] * 3 + data[at:]
            case _:
                data = data[:at] + files[other][at:]
    verdict = _verdict(data)
    if isinstance(verdict, PhotoRejected):
        assert verdict.code in get_args(RejectionCode)
        assert verdict.message_for_user.endswith(".")
    else:
        assert 0 < verdict.width * verdict.height <= LIMITS.max_pixels
        assert verdict.orientation in range(1, 9)


def _verdict(data: bytes) -> Header | PhotoRejected:
    try:
        return validate(data, LIMITS)
    except PhotoRejected as rejection:
        return rejection
