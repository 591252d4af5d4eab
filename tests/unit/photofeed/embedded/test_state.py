import os
import subprocess
import sys
from pathlib import Path

import pytest

from photofeed.embedded import clean_state
from photofeed.embedded.errors import StackRunningError, StateFolderError
from photofeed.embedded.state import StateFolder


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_secrets_differ_between_stacks_and_stay_the_same_within_one(tmp_path: Path) -> None:
    one = StateFolder(tmp_path / "one").secrets()
    assert StateFolder(tmp_path / "one").secrets() == one
    assert StateFolder(tmp_path / "other").secrets() != one


def test_a_secret_that_an_older_state_lacks_is_drawn_and_kept(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    state.save("secrets.json", '{"postgres": "older", "gone": "unknown"}')
    upgraded = state.secrets()
    assert upgraded.postgres == "older"
    assert upgraded.jwt
    assert state.secrets() == upgraded


def test_other_accounts_can_neither_read_secrets_nor_list_the_folder(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    state.secrets()
    assert mode(state.path / "secrets.json") == 0o600
    assert mode(state.path) & 0o066 == 0
    assert mode(state.log) == mode(state.run) == 0o700
    assert state.secrets().jwt not in repr(state.secrets())


def test_a_folder_is_held_by_one_stack_at_a_time(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    held = state.hold()
    with pytest.raises(StackRunningError, match=f"pid {os.getpid()}"):
        StateFolder(tmp_path).hold()
    os.close(held)
    os.close(StateFolder(tmp_path).hold())


def test_a_file_in_the_way_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StateFolderError, match="cannot hold the state"):
        StateFolder(tmp_path / "state")


def test_clean_state_removes_a_state_folder_and_nothing_else(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    state.secrets()
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "one.jpg").write_bytes(b"jpeg")

    assert "removed" in clean_state.main(state.path)
    assert not state.path.exists()
    assert "nothing to remove" in clean_state.main(state.path)
    with pytest.raises(StateFolderError, match="is not the state folder of a stack"):
        clean_state.main(photos)
    assert [path.name for path in photos.iterdir()] == ["one.jpg"]


def test_clean_state_refuses_while_the_stack_runs(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    state.secrets()
    held = state.hold()
    with pytest.raises(StackRunningError):
        clean_state.main(tmp_path)
    os.close(held)
    assert state.secrets().jwt


def test_clean_state_needs_nothing_that_is_not_in_python_itself(tmp_path: Path) -> None:
    StateFolder(tmp_path).secrets()
    repository = Path(clean_state.__file__).parents[2]
    bare = [sys.executable, "-S", "-m", "photofeed.embedded.clean_state", str(tmp_path)]  # -S: no site-packages
    done = subprocess.run(bare, cwd=repository, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == f"removed {tmp_path}\n"
