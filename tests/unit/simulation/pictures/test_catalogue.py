from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from PIL import Image

from ingestion.photos.process import process_photo
from ingestion.photos.validate import PhotoLimits
from simulation.pictures.captions import CAPTIONS, TAGS
from simulation.pictures.catalogue import Picture, pictures, topics


@pytest.fixture(scope="module")
def some() -> list[Picture]:
    return list(pictures(seed=3, count=10))


def test_pictures_depend_on_seed_and_number_only(some: list[Picture]) -> None:
    assert list(pictures(seed=3, count=2)) == some[:2]
    assert next(pictures(seed=4, count=1)) != some[0]


def test_pictures_are_made_on_demand() -> None:
    assert len(list(islice(pictures(seed=1, count=10**9), 1))) == 1


def test_the_photo_pipeline_accepts_every_picture(some: list[Picture]) -> None:
    limits = PhotoLimits(max_bytes=10 * 2**20, max_pixels=20_000_000)
    assert len(some) == 10
    for picture in some:
        photo = process_photo(picture.data, limits)
        assert photo.header.format.value == {"image/jpeg": "JPEG", "image/heic": "HEIF"}[picture.media_type]
        assert max(photo.header.width, photo.header.height) >= 1000


def test_pictures_have_topic_tags_and_caption(some: list[Picture]) -> None:
    for picture in some:
        assert picture.topic in topics()
        assert picture.tags[0] == picture.topic
        assert 2 <= len(picture.tags) == len(set(picture.tags))
        assert picture.caption
    assert len({picture.caption for picture in some}) > 8
    assert len(Counter(picture.topic for picture in some)) > 4


def test_every_topic_has_captions_and_tags() -> None:
    assert set(topics()) == set(CAPTIONS) == set(TAGS)
    for captions in CAPTIONS.values():
        assert len(set(captions)) == len(captions) >= 8


def test_user_files_come_first_with_their_folder_as_topic(tmp_path: Path) -> None:
    (tmp_path / "Garden").mkdir()
    names = ("Garden/rose.jpg", "Garden/tulip.PNG", "loose.webp")
    for name in names:
        Image.new("RGB", (8, 8), "red").save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a picture")
    some = list(pictures(seed=1, count=4, user_folder=tmp_path))
    assert Counter(picture.topic for picture in some[:3]) == {"garden": 2, "photo": 1}
    assert {picture.media_type for picture in some[:3]} == {"image/jpeg", "image/png", "image/webp"}
    assert {picture.data for picture in some[:3]} == {(tmp_path / name).read_bytes() for name in names}
    assert some[3].topic in topics()


def test_a_folder_without_pictures_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=tmp_path.name):
        next(pictures(seed=1, count=1, user_folder=tmp_path))
