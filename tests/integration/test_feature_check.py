"""`photofeed features check` as CI runs it: without any server."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.command_line import photofeed

REPO = Path(__file__).resolve().parents[2] / "feature_repo"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return shutil.copytree(REPO, tmp_path / "feature_repo", ignore=shutil.ignore_patterns("__pycache__"))


def _check(repo: Path, *options: str, service: str = "feed_ranker_v1") -> subprocess.CompletedProcess[str]:
    return photofeed(
        "features",
        "check",
        *options,
        PHOTOFEED_FEATURE_REPO=repo,
        PHOTOFEED_STATE_DIR=repo / "no-stack",
        PHOTOFEED_FEATURE_SERVICE=service,
    )


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_the_repo_has_every_feature_of_served_models() -> None:
    done = _check(REPO)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "nothing breaks: served/feed_ranker_v1.json\n"


def test_renaming_a_feature_of_a_served_model_is_refused_until_the_list_is_rewritten(repo: Path) -> None:
    _edit(repo / "post_views.py", '"likes_5m"', '"likes_5min"')
    done = _check(repo)
    assert (done.returncode, done.stderr) == (1, "post_engagement:likes_5m is gone (served/feed_ranker_v1.json)\n")
    assert _check(repo, "--write").returncode == 0
    assert "likes_5min" in (repo / "served" / "feed_ranker_v1.json").read_text()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            'half_life=5 * MINUTE, unit="likes"',
            'half_life=HOUR, unit="likes"',
            "half-life of 300 s and has one of 3600 s",
        ),
        ('"likes_5m", "like=1 unlike=-1"', '"likes_5m", "like=2 unlike=-2"', "counts 'like=2 unlike=-2'"),
        ('about="Whether it is a reel", default="0"', 'about="Whether it is a reel", default="1"', "default 0"),
    ],
)
def test_another_meaning_of_a_served_field_is_refused_also_with_write(
    repo: Path, before: str, after: str, said: str
) -> None:
    _edit(repo / "post_views.py", before, after)
    promised = (repo / "served" / "feed_ranker_v1.json").read_text()
    for options in ((), ("--write",)):
        done = _check(repo, *options)
        assert done.returncode == 1
        assert said in done.stderr
        assert "use another name (served/feed_ranker_v1.json)" in done.stderr
    assert (repo / "served" / "feed_ranker_v1.json").read_text() == promised


def test_a_new_field_breaks_nothing(repo: Path) -> None:
    _edit(
        repo / "post_views.py",
        '        decayed("shares_24h"',
        '        decayed("shares_1h", "share=1", half_life=HOUR, unit="shares", about="Shares"),\n'
        '        decayed("shares_24h"',
    )
    assert (done := _check(repo)).returncode == 0, done.stderr
    assert _check(repo, "--write").returncode == 0
    assert "shares_1h" in (repo / "served" / "feed_ranker_v1.json").read_text()


def test_an_unreadable_repo_is_reported_in_one_line_with_its_cause(repo: Path) -> None:
    _edit(repo / "post_views.py", "entities=[post]", "entities=[pots]")
    done = _check(repo)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert line.startswith("photofeed: the feature repo cannot be read: post_views.py:")
    assert "NameError: name 'pots' is not defined" in line


def test_an_unknown_feature_service_is_refused(repo: Path) -> None:
    done = _check(repo, service="feed_ranker_v9")
    assert done.returncode == 1
    assert done.stderr == "photofeed: the repo has no feature service 'feed_ranker_v9'; it has feed_ranker_v1\n"


def test_feasts_own_commands_run_in_the_repo_and_pass_on_options_and_exit_codes() -> None:
    done = photofeed("feast", "version", PHOTOFEED_FEATURE_REPO=REPO, PHOTOFEED_STATE_DIR=REPO / "no-stack")
    assert done.returncode == 0, done.stderr
    assert "Feast SDK Version" in done.stdout
    options = photofeed("feast", "plan", "--help", PHOTOFEED_FEATURE_REPO=REPO, PHOTOFEED_STATE_DIR=REPO / "no-stack")
    assert options.returncode == 0, options.stderr
    assert "photofeed feast plan" in options.stdout
    wrong = photofeed("feast", "no-such-verb", PHOTOFEED_FEATURE_REPO=REPO, PHOTOFEED_STATE_DIR=REPO / "no-stack")
    assert wrong.returncode == 2
