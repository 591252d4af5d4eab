from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import IFD, Base

from ingestion.photos.location import Location, location_of
from ingestion.photos.metadata import CameraFacts, camera_facts, read_metadata
from ingestion.photos.process import process_photo
from ingestion.photos.validate import PhotoLimits, validate
from tests import photographs
from tools.photo_cases.heif_file import HeifWriter, Item, coded, size_property

Encode = Callable[..., bytes]


def exif_of(**tags: Any) -> Image.Exif:
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Model] = "ACME\0", " Phone 3 "
    exif.get_ifd(IFD.Exif).update({Base[name].value: value for name, value in tags.items()})
    return exif


@pytest.mark.parametrize("photo_format", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_facts_of_the_camera_are_kept(
    photo_format: str, picture: Image.Image, encode: Encode, limits: PhotoLimits
) -> None:
    exif = exif_of(
        LensModel="ACME 24mm",
        ExposureTime=0.008,
        FNumber=1.8,
        ISOSpeedRatings=400,
        FocalLength=5.1,
        DateTimeOriginal="2026:07:04 18:30:05",
        OffsetTimeOriginal="-03:30",
    )
    facts = process_photo(encode(picture, photo_format, exif=exif), limits).camera
    assert (facts.make, facts.model, facts.lens, facts.iso) == ("ACME", "Phone 3", "ACME 24mm", 400)
    assert facts.exposure_seconds == pytest.approx(1 / 125)
    assert facts.aperture == pytest.approx(1.8)
    assert facts.focal_length_mm == pytest.approx(5.1)
    assert facts.captured_at == datetime(2026, 7, 4, 18, 30, 5, tzinfo=timezone(-timedelta(hours=3, minutes=30)))


def test_facts_are_kept_if_the_primary_item_of_a_heic_is_not_its_picture(limits: PhotoLimits) -> None:
    main, gain_map = coded(Image.new("RGB", (160, 120))), coded(Image.new("RGB", (80, 60)))
    writer = HeifWriter()
    writer.add(main)
    writer.add(gain_map)
    writer.add(Item(b"tmap", bytes(62), (size_property(160, 120),)))
    writer.add(Item(b"Exif", bytes(4) + b"Exif\0\0" + exif_of(FNumber=1.8).tobytes()[6:], ()))
    writer.refer(b"dimg", 3, 1, 2)
    writer.refer(b"cdsc", 4, 1)
    facts = process_photo(writer.file(primary=3), limits).camera
    assert facts.make == "ACME"
    assert facts.aperture == pytest.approx(1.8)


def test_a_clock_without_offset_stays_local_time() -> None:
    facts = camera_facts({Base.DateTimeOriginal: "2026:07:04 18:30:05", Base.OffsetTimeOriginal: "+99:00"})
    assert facts.captured_at == datetime(2026, 7, 4, 18, 30, 5)  # noqa: DTZ001


@pytest.mark.parametrize("photo_format", ["JPEG", "PNG", "WEBP", "HEIF"])
@pytest.mark.parametrize("name", photographs.NAMES[:3])
def test_the_location_is_kept_apart_from_public_facts(name: str, photo_format: str, limits: PhotoLimits) -> None:
    image = photographs.photograph(name).reduce(2)
    photo = process_photo(photographs.of_a_phone(image, photo_format), limits)
    assert (photo.camera.make, photo.camera.captured_at is not None) == ("ACME", True)
    assert photo.location
    assert photo.location.latitude == pytest.approx(photographs.LATITUDE, abs=1e-5)
    assert photo.location.longitude == pytest.approx(photographs.LONGITUDE, abs=1e-5)
    assert "43.4" not in repr(photo)


def test_the_location_of_samples_is_kept_apart_from_public_facts(samples: Path, limits: PhotoLimits) -> None:
    paths = sorted((samples / "photos" / "gps").glob("*.jpg"))
    assert len(paths) == 4
    for path in paths:
        photo = process_photo(path.read_bytes(), limits)
        assert photo.camera.make == "NIKON"
        assert photo.camera.captured_at is not None
        assert photo.location
        assert photo.location.latitude == pytest.approx(43.467, abs=0.01)
        assert photo.location.longitude == pytest.approx(11.884, abs=0.01)
        assert "43.4" not in repr(photo)


@pytest.mark.parametrize(
    ("tags", "location"),
    [
        ({1: "S", 2: (33.0, 51.0, 24.0), 3: "W", 4: (70.0, 30.0, 0.0)}, Location(-33.856667, -70.5)),
        ({1: b"N\0", 2: (0, 0, 36), 3: "E", 4: (180, 0, 0)}, Location(0.01, 180.0)),
        ({1: "N", 2: (33.0, 51.0, 24.0)}, None),
        ({1: "N", 2: (90.0, 0.0, 1.0), 3: "E", 4: (2.0, 0.0, 0.0)}, None),
        ({1: "N", 2: (float("nan"), 0.0, 0.0), 3: "E", 4: (2.0, 0.0, 0.0)}, None),
        ({1: "N", 2: (48.0, 51.0), 3: "E", 4: 2.0}, None),
    ],
)
def test_a_location_is_read_in_degrees_or_not_at_all(tags: dict[int, Any], location: Location | None) -> None:
    assert location_of(tags) == location


values = st.one_of(
    st.none(),
    st.text(),
    st.binary(),
    st.floats(),
    st.integers(),
    st.tuples(),
    st.tuples(st.floats()),
    st.lists(st.text()),
)


@given(st.dictionaries(st.integers(1, 4), st.one_of(values, st.tuples(st.floats(), st.floats(), st.floats()))))
def test_any_gps_tags_give_no_location_or_one_on_earth(tags: dict[int, Any]) -> None:
    location = location_of(tags)
    assert location is None or (-90 <= location.latitude <= 90 and -180 <= location.longitude <= 180)


@given(st.dictionaries(st.sampled_from([tag.value for tag in Base]), values))
def test_any_tags_give_nothing_or_values_that_the_database_accepts(tags: dict[int, Any]) -> None:
    facts = camera_facts(tags)
    for text in (facts.make, facts.model, facts.lens):
        assert text is None or (text.isprintable() and len(text) <= 80)
    assert facts.iso is None or 0 <= facts.iso < 2**31


@pytest.mark.parametrize(
    "exif",
    [
        # the directory's successor, and the EXIF directory inside it, are the directory itself
        b"MM\0*\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x08\0\0\0\x08",
        b"II*\0\xff\xff\xff\x7f",
        b"MM\0*\0\0\0\x08\xff\xff" + b"\x01" * 50,
        b"",
    ],
)
def test_broken_and_cyclic_exif_does_not_cause_a_refusal(
    exif: bytes, picture: Image.Image, encode: Encode, limits: PhotoLimits
) -> None:
    data = encode(picture, "JPEG", exif=b"Exif\0\0" + exif)
    assert read_metadata(data, validate(data, limits)) == (CameraFacts(), None)
    assert process_photo(data, limits).variants
