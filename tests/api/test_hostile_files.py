"""Hostile files on the whole path: API, S3, worker, sandbox, PostgreSQL.

Each file ends as a photo or with a reason, nothing takes the worker with it, and the next good photo is ready.
"""

from collections import Counter
from typing import TYPE_CHECKING

from ingestion.photos.rejection import PhotoRejected
from ingestion.photos.sandbox import PhotoSandbox
from ingestion.photos.validate import PhotoLimits
from photofeed import topics
from photofeed.dead_letters import DeadLetters
from tests.api.hostile_files import doubtful_files, encoded, refused_files, sample_files

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.conftest import App, Person

_GOOD_EVERY = 40
_EVERY_DOUBTFUL = 6  # most become photos, which takes the whole path most of a second each


def _outcomes(app: "App", author: "Person", files: list[tuple[str, bytes]]) -> dict[str, tuple[str, str]]:
    """Upload all files with good photos in between; returns status and code by name after processing."""
    photos: dict[str, str] = {}
    for number, (name, data) in enumerate(files):
        photos[name] = author.upload(data)
        if number % _GOOD_EVERY == 0:
            photos[f"good {number}"] = author.upload(encoded("JPEG", (320, 240 + number)))
    photos["good at last"] = author.upload(encoded("JPEG", (300, 200)))
    app.work()
    found = {name: author.get(f"/v1/photos/{photo_id}") for name, photo_id in photos.items()}
    outcomes = {name: (one["status"], (one["failure"] or {}).get("code", "")) for name, one in found.items()}
    assert all(outcome == ("ready", "") for name, outcome in outcomes.items() if name.startswith("good"))
    assert DeadLetters(app.log, app.log).waiting(topics.PHOTOS_GROUP) == []
    return {name: outcome for name, outcome in outcomes.items() if not name.startswith("good")}


def test_files_that_are_not_photos_fail_with_a_code(app: "App") -> None:
    files = list(refused_files())
    assert len(files) >= 200
    outcomes = _outcomes(app, app.person(), files)
    wrong = {name: outcome for name, outcome in outcomes.items() if outcome[0] not in ("failed", "rejected")}
    assert not wrong
    codes = Counter(code for _, code in outcomes.values())
    assert set(codes) <= {
        *("empty", "not_an_image", "unsupported_format", "truncated", "damaged", "too_many_pixels", "unprocessable")
    }
    assert codes["unprocessable"] <= 2  # the sandbox's fallback code is rare


def test_doubtful_files_become_photos_or_are_refused_with_a_reason(app: "App") -> None:
    files = list(doubtful_files())
    assert len(files) >= 200
    refused: Counter[str] = Counter()
    with PhotoSandbox(PhotoLimits.of(app.settings)) as sandbox:
        for _, data in files:
            try:
                assert sandbox.process(data).variants
            except PhotoRejected as rejection:
                refused[rejection.code if rejection.message_for_user else "without words"] += 1
        assert sandbox.process(encoded("JPEG")).variants
    assert set(refused) <= {"not_an_image", "unsupported_format", "truncated", "damaged", "too_many_pixels"}
    assert refused.total() < len(files)


def test_doubtful_files_end_in_a_final_state_on_the_whole_path(app: "App") -> None:
    outcomes = _outcomes(app, app.person(), list(doubtful_files())[::_EVERY_DOUBTFUL])
    unsettled = {
        name: (status, code)
        for name, (status, code) in outcomes.items()
        if status not in ("ready", "review") and not (status in ("failed", "rejected") and code)
    }
    assert not unsettled


def test_broken_files_of_real_cameras_end_in_a_final_state(app: "App", samples: "Path") -> None:
    outcomes = _outcomes(app, app.person(), list(sample_files(samples)))
    assert len(outcomes) == 12
    assert {status for status, _ in outcomes.values()} <= {"ready", "review", "failed", "rejected"}
