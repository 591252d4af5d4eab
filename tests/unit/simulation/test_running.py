from pathlib import Path
from typing import Any

import pytest

from photofeed.settings import Settings
from simulation.errors import BrokenPathError
from simulation.running import RunningPhotofeed


def _run(api: Any, folder: Path, **environment: str) -> None:
    running = RunningPhotofeed(Settings(), {"PHOTOFEED_STATE_DIR": str(folder), **environment}, folder, api.client())
    running.command("token", "--scope", "service")


def test_the_output_of_a_command_goes_to_its_log(api: Any, tmp_path: Path) -> None:
    _run(api, tmp_path, PHOTOFEED_ENV="dev")

    assert len((tmp_path / "token.log").read_text().split(".")) == 3  # a JWT


def test_a_failed_command_is_an_error_with_its_last_line(api: Any, tmp_path: Path) -> None:
    expected = r"photofeed token --scope service failed \(log: .*/token\.log\): photofeed: settings: .*PHOTOFEED_PORT"
    with pytest.raises(BrokenPathError, match=expected):
        _run(api, tmp_path, PHOTOFEED_PORT="http")
