import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import ImageOps

from ingestion.photos.hash_list import HashFile, HashList, NoHashes, hash_list_of, known
from ingestion.photos.moderation import OpenNsfwModerator, moderator_of
from ingestion.photos.process import ProcessedPhoto, process_photo
from ingestion.photos.validate import PhotoLimits
from photofeed.errors import InvalidError
from photofeed.settings import Settings
from tests import photographs
from tests.doubles.moderator import InMemoryModerator

Encode = Callable[..., bytes]


@pytest.fixture(scope="module")
def original() -> bytes:
    return photographs.of_a_phone(photographs.photograph(photographs.NAMES[0]))


@pytest.fixture(scope="module")
def photo(original: bytes, limits: PhotoLimits) -> ProcessedPhoto:
    return process_photo(original, limits)


def hash_file(folder: Path, *lines: str) -> HashFile:
    file = folder / "hashes.txt"
    file.write_text("\n".join(("# a comment", "", *lines)))
    return HashFile(file)


def test_a_listed_file_is_rejected_by_the_name_of_the_list(
    tmp_path: Path, original: bytes, photo: ProcessedPhoto
) -> None:
    digest = hashlib.sha256(original).hexdigest()
    hashes = hash_file(tmp_path, digest.upper())
    moderation = known(original, photo, hashes)
    assert moderation
    assert (moderation.decision, moderation.reason) == ("rejected", f"listed: {digest}")
    assert moderation.by.startswith("hashes.txt ")
    assert known(original + b"\0", photo, hashes) is None


def test_a_copy_of_a_listed_picture_is_rejected_and_other_pictures_are_not(
    tmp_path: Path, original: bytes, photo: ProcessedPhoto, encode: Encode, limits: PhotoLimits
) -> None:
    hashes = hash_file(tmp_path, f"{photo.perceptual_hash & (2**64 - 1):016x}")
    image = photographs.photograph(photographs.NAMES[0])
    copy = encode(image.resize((image.width // 2, image.height // 2)), "WEBP", quality=60)
    assert known(copy, process_photo(copy, limits), hashes)
    for other in (ImageOps.mirror(image), *map(photographs.photograph, photographs.NAMES[1:4])):
        data = encode(other, "JPEG")
        assert known(data, process_photo(data, limits), hashes) is None
    assert known(original, photo, NoHashes()) is None


def test_a_picture_whose_hash_differs_in_at_most_four_bits_is_listed(
    tmp_path: Path, original: bytes, photo: ProcessedPhoto
) -> None:
    listed = photo.perceptual_hash & (2**64 - 1)
    assert known(original, photo, hash_file(tmp_path, f"{listed ^ 0x8000_0100_0040_0001:016x}"))
    assert known(original, photo, hash_file(tmp_path, f"{listed ^ 0x8000_0100_0040_0003:016x}")) is None


@pytest.mark.parametrize("line", ["abc", "g" * 64, "0" * 40])
def test_a_line_that_is_no_hash_is_named(line: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=line):
        hash_file(tmp_path, line)


def a_list() -> HashList:
    """A list for `PHOTOFEED_HASH_LIST`."""
    return NoHashes()


def test_settings_name_the_list_and_the_model() -> None:
    assert isinstance(hash_list_of(Settings()), NoHashes)
    assert isinstance(hash_list_of(Settings(hash_list=f"{__name__}:a_list")), NoHashes)
    assert isinstance(moderator_of(Settings()), OpenNsfwModerator)
    chosen = moderator_of(Settings(moderator="tests.doubles.moderator:InMemoryModerator"))
    assert isinstance(chosen, InMemoryModerator)


@pytest.mark.parametrize("path", ["nowhere:thing", "os:nothing", "os", "builtins:dict", ":"])
def test_a_setting_that_names_something_else_is_an_error(path: str) -> None:
    with pytest.raises(InvalidError, match=f"PHOTOFEED_MODERATOR={path}"):
        moderator_of(Settings(moderator=path))
    with pytest.raises(InvalidError, match=f"PHOTOFEED_HASH_LIST={path}"):
        hash_list_of(Settings(hash_list=path))
