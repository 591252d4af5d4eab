"""`photofeed features check` as CI runs it: on the repo's files alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PHOTOFEED = Path(sys.executable).with_name("photofeed")
REPO = Path(__file__).resolve().parents[2] / "feature_repo"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return shutil.copytree(REPO, tmp_path / "feature_repo", ignore=shutil.ignore_patterns("__pycache__"))


def _check(repo: Path, *options: str, service: str = "feed_ranker_v1") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PHOTOFEED_FEATURE_REPO": str(repo),
        "PHOTOFEED_STATE_DIR": str(repo / "no-stack"),
        "PHOTOFEED_FEATURE_SERVICE": service,
    }
    return subprocess.run(  # noqa: S603  our own command
        [PHOTOFEED, "features", "check", *options], env=environment, capture_output=True, text=True, check=False
    )


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_the_repo_keeps_what_was_promised_to_served_models() -> None:
    done = _check(REPO)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "nothing breaks: served/feed_ranker_v1.json\n"


def test_a_feature_that_a_served_model_reads_is_not_to_be_renamed_until_it_is_no_longer_promised(repo: Path) -> None:
    _edit(repo / "post_views.py", '"likes_5m"', '"likes_5min"')
    done = _check(repo)
    assert (done.returncode, done.stderr) == (1, "post_engagement:likes_5m is gone (served/feed_ranker_v1.json)\n")
    assert _check(repo, "--write").returncode == 0
    assert "likes_5min" in (repo / "served" / "feed_ranker_v1.json").read_text()


def test_a_repo_that_cannot_be_read_is_told_in_one_line_with_its_cause(repo: Path) -> None:
    _edit(repo / "post_views.py", "entities=[post]", "entities=[pots]")
    done = _check(repo)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert line.startswith("photofeed: the feature repo cannot be read: post_views.py:")
    assert "NameError: name 'pots' is not defined" in line


def test_a_service_that_is_to_be_served_and_does_not_exist_is_refused(repo: Path) -> None:
    done = _check(repo, service="feed_ranker_v9")
    assert done.returncode == 1
    assert done.stderr == "photofeed: 'feed_ranker_v9' is to be served; the repo has feed_ranker_v1\n"
