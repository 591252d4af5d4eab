"""A photo is processed without servers as it is with them, and its outcome says what would be stored."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ingestion.photos.hash_list import NoHashes
from ingestion.photos.one_file import process_file
from photofeed.publication import REFUSED_CODE
from photofeed.settings import Settings
from tests.doubles.moderator import InMemoryModerator
from tests.photographs import of_a_phone

SETTINGS = Settings(env="dev", moderation_review=0.6, moderation_reject=0.9)


def _outcome(tmp_path: Path, data: bytes, opinion: float = 0.0) -> dict[str, Any]:
    file = tmp_path / "photo.jpg"
    file.write_bytes(data)
    return process_file(file, tmp_path / "out", SETTINGS, InMemoryModerator(opinion), NoHashes())


def test_the_outcome_has_the_files_and_what_the_camera_said_of_itself(tmp_path: Path) -> None:
    photo = Image.linear_gradient("L").convert("RGB").resize((400, 300))
    outcome = _outcome(tmp_path, of_a_phone(photo))
    assert (outcome["status"], outcome["code"], outcome["width"], outcome["height"]) == ("ready", None, 400, 300)
    assert {(one["size"], one["width"], one["height"]) for one in outcome["variants"]} >= {(150, 150, 150)}
    for one in outcome["variants"]:
        assert Path(one["file"]).stat().st_size == one["bytes"]
        with Image.open(one["file"]) as written:
            assert (written.size, written.format) == ((one["width"], one["height"]), one["format"].upper())
    assert outcome["camera"]["make"] == "ACME"
    assert outcome["camera"]["iso"] == 400
    assert None not in outcome["camera"].values()
    assert [step["step"] for step in outcome["steps"]][:2] == ["validate", "normalise"]


@pytest.mark.parametrize(("opinion", "status", "code"), [(0.7, "review", None), (0.95, "rejected", REFUSED_CODE)])
def test_a_photo_that_is_rejected_leaves_no_files(tmp_path: Path, opinion: float, status: str, code: str) -> None:
    outcome = _outcome(tmp_path, of_a_phone(Image.new("RGB", (200, 150), "teal")), opinion)
    assert (outcome["status"], outcome["code"], outcome["moderation"]["score"]) == (status, code, opinion)
    assert (tmp_path / "out").exists() == (status == "review")


@pytest.mark.parametrize(("data", "code"), [(b"", "empty"), (b"this is no picture", "not_an_image")])
def test_a_file_that_is_no_photo_fails_with_a_reason(tmp_path: Path, data: bytes, code: str) -> None:
    outcome = _outcome(tmp_path, data)
    assert (outcome["status"], outcome["code"]) == ("failed", code)
    assert outcome["reason"]
    assert not (tmp_path / "out").exists()
