"""`photofeed doctor` on a stack that `make demo` would start."""

import json

from tests.command_line import photofeed
from tests.conftest import RunningApp


def test_all_is_well_on_the_demo_except_for_the_model_that_was_not_trained_yet(running_app: RunningApp) -> None:
    done = photofeed("doctor", "--json", PHOTOFEED_STATE_DIR=running_app.settings.state_dir)
    report = json.loads(done.stdout)
    assert [finding["name"] for finding in report["findings"] if finding["level"] != "ok"] == ["model.champion"]
    assert done.returncode == 1
