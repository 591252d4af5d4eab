"""`photofeed photos process` without any server: JSON on standard output, and exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.api.pictures import picture
from tests.command_line import photofeed


def process(file: Path, out: Path, **variables: str) -> tuple[int, str, str]:
    done = photofeed("photos", "process", file, "--out", out, PHOTOFEED_STATE_DIR=out / "none", **variables)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def outcome(file: Path, out: Path, expected: int, **variables: str) -> dict[str, Any]:
    code, output, errors = process(file, out, **variables)
    assert code == expected, errors
    found: dict[str, Any] = json.loads(output)
    return found


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("photos") / "name without a photo's suffix.txt"
    file.write_bytes(picture(60, (1600, 1200)))
    return file


def test_a_photo_is_written_in_every_size_and_format(photo: Path, tmp_path: Path) -> None:
    found = outcome(photo, tmp_path / "new" / "out", 0, PHOTOFEED_AVIF_VARIANTS="true")
    assert (found["status"], found["code"], found["width"], found["height"]) == ("ready", None, 1600, 1200)
    assert len(found["blurhash"]) == 28
    assert found["dominantColor"].startswith("#")
    assert found["moderation"]["decision"] == "approved"
    kinds = {(one["size"], one["format"]) for one in found["variants"]}
    both = {(size, kind) for size in (150, 320, 640, 1080, 3840) for kind in ("jpeg", "webp")}
    assert kinds == both | {(640, "avif"), (1080, "avif")}
    for one in found["variants"]:
        with Image.open(one["file"]) as image:
            assert (image.format, image.size) == (one["format"].upper(), (one["width"], one["height"]))
        assert Path(one["file"]).stat().st_size == one["bytes"]


@pytest.mark.parametrize(
    ("data", "code"), [(b"", "empty"), (b"%PDF-1.7", "unsupported_format"), (picture(61)[:9000], "truncated")]
)
def test_a_file_that_is_not_a_photo_fails_with_code_and_reason(data: bytes, code: str, tmp_path: Path) -> None:
    file, out = tmp_path / "photo.jpg", tmp_path / "out"
    file.write_bytes(data)
    found = outcome(file, out, 2)
    assert (found["status"], found["code"], found["variants"]) == ("failed", code, [])
    assert found["reason"]
    assert not out.exists()


def test_limits_and_thresholds_of_the_settings_apply(photo: Path, tmp_path: Path) -> None:
    assert outcome(photo, tmp_path, 2, PHOTOFEED_UPLOAD_MAX_BYTES="1000")["code"] == "too_large"
    assert outcome(photo, tmp_path, 2, PHOTOFEED_UPLOAD_MAX_PIXELS="100000")["code"] == "too_many_pixels"
    strict = {"PHOTOFEED_MODERATION_REVIEW": "0", "PHOTOFEED_MODERATION_REJECT": "1"}
    assert outcome(photo, tmp_path, 0, **strict)["status"] == "review"
    found = outcome(photo, tmp_path, 2, **(strict | {"PHOTOFEED_MODERATION_REJECT": "0"}))
    assert (found["status"], found["code"]) == ("rejected", "moderation_rejected")


def test_a_missing_file_is_reported_in_one_line(tmp_path: Path) -> None:
    code, output, errors = process(tmp_path / "nothing.jpg", tmp_path)
    assert (code, output) == (2, "")
    assert "does not exist" in errors
