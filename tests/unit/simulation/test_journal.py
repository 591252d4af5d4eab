from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from simulation.journal import Journal, UploadedPhoto
from simulation.scale import SMOKE

NOW = datetime(2025, 11, 3, 12, 30, 1, 123456, tzinfo=UTC)
PHOTO = UploadedPhoto("photo1", 3, "sea", "Waves", is_reel=True, created_at=NOW - timedelta(hours=2))


def _journal(path: Path) -> Journal:
    return Journal(path, seed=4, scale=SMOKE, now=NOW)


def test_a_reopened_journal_has_every_recorded_step(tmp_path: Path) -> None:
    journal = _journal(tmp_path / "world.jsonl")
    journal.add_person(0, "user0")
    journal.add_photo(7, PHOTO)
    journal.add_follows(12)
    journal.add_history(500)
    journal.mark("seeded")

    again = Journal(tmp_path / "world.jsonl", seed=9, scale=replace(SMOKE, readers=1), now=NOW + timedelta(days=1))

    assert (again.seed, again.scale, again.anchor) == (4, SMOKE, NOW)  # the world's, not the new run's
    assert again.people == {0: "user0"}
    assert again.photos == {7: PHOTO}
    assert again.events_accepted == 512
    assert again.has("seeded")
    assert not again.has("trained")


def test_an_incomplete_line_counts_as_not_done(tmp_path: Path) -> None:
    file = tmp_path / "world.jsonl"
    _journal(file).add_person(0, "user0")
    with file.open("ab") as torn:
        torn.write(b'{"person": 1, "id": "us')

    _journal(file).add_person(1, "user1")

    assert _journal(file).people == {0: "user0", 1: "user1"}
