from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingestion.photos.process import process_photo
from ingestion.photos.validate import PhotoLimits
from simulation.pictures.captions import MOMENTS, MOMENTS_INSIDE, SUBJECTS, TAGS, write_captions
from simulation.pictures.catalogue import PHOTOGRAPH_EVERY, Picture, painted, picture, pictures, topics
from simulation.pictures.painter import SCENES
from simulation.pictures.photographs import PHOTOGRAPHS


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


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
    for one in some:
        photo = process_photo(one.data, limits)
        assert photo.header.format.value == {"image/jpeg": "JPEG", "image/heic": "HEIF"}[one.media_type]
        assert max(photo.header.width, photo.header.height) >= 1000


def test_pictures_have_topic_tags_and_caption(some: list[Picture]) -> None:
    for one in some:
        assert one.topic in topics()
        assert one.tags[0] == one.topic
        assert 2 <= len(one.tags) == len(set(one.tags))
        assert one.captions
    assert len({one.captions[0] for one in some}) > 8
    assert len(Counter(one.topic for one in some)) > 4


def test_every_topic_has_captions_and_tags() -> None:
    assert set(topics()) <= set(TAGS)
    assert set(SCENES) == set(SUBJECTS)
    for photograph in PHOTOGRAPHS:
        assert len(set(photograph.captions)) >= 2
    sentences = [sentence.text for part in (*SUBJECTS.values(), MOMENTS, MOMENTS_INSIDE) for sentence in part]
    assert len(set(sentences)) == len(sentences)


def test_each_packaged_photograph_is_used_once() -> None:
    numbers = range(PHOTOGRAPH_EVERY // 2, PHOTOGRAPH_EVERY * len(PHOTOGRAPHS), PHOTOGRAPH_EVERY)
    taken = [picture(1, number).captions for number in numbers]
    assert Counter(taken) == Counter(photograph.captions for photograph in PHOTOGRAPHS)
    behind = numbers[-1] + PHOTOGRAPH_EVERY
    assert picture(1, behind) == painted(1, behind)


def test_captions_say_what_is_in_the_picture(rng: np.random.Generator) -> None:
    rainy = write_captions(rng, "street", ("night", "rain", "umbrella"))
    dry = write_captions(rng, "street", ("golden", "dry", "cyclist"))
    assert any("puddle" in caption for caption in rainy)
    assert not any("puddle" in caption or "umbrella" in caption for caption in dry)
    assert not any("golden" in caption.lower() for caption in rainy)
    assert len(set(rainy)) == len(rainy) > 20


@pytest.mark.parametrize("topic", SCENES)
def test_there_are_captions_for_every_picture(rng: np.random.Generator, topic: str) -> None:
    for _ in range(3):
        captions = write_captions(rng, topic, SCENES[topic](rng, 320, 320).facts)
        assert len(set(captions)) == len(captions) > 5
        assert topic.capitalize() not in captions


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
