"""The command line as a user meets it: fast help, one-line errors, exit codes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from photofeed.tokens import SERVICE, TokenVerifier

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

PHOTOFEED = Path(sys.executable).with_name("photofeed")


def _run(state_dir: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PHOTOFEED_STATE_DIR": str(state_dir)} | variables
    return subprocess.run(  # noqa: S603
        [PHOTOFEED, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_help_names_every_command_and_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['photofeed', '--help']\n"
        "from photofeed.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'feast', 'mlflow', 'lightgbm', 'pandas', 'numpy', 'PIL', 'boto3', 'kafka', 'fastapi'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    for command in ("demo", "smoke", "serve", "work", "setup", "token", "train", "promote", "rollback"):
        assert f" {command} " in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [("setup",), ("token", "--user", "nobody"), ("promote", "1"), ("train",), ("rollback",), ("features", "list")],
)
def test_without_a_stack_a_command_says_so_in_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    nowhere = "127.0.0.1:1"
    done = _run(
        tmp_path,
        *arguments,
        PHOTOFEED_DATABASE_URL=f"postgresql://x:x@{nowhere}/x",
        PHOTOFEED_MLFLOW_TRACKING_URI=f"http://{nowhere}",
        PHOTOFEED_S3_ENDPOINT_URL=f"http://{nowhere}",
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("photofeed: "), done.stderr


def test_a_file_that_cannot_be_had_is_named_in_one_line(tmp_path: Path) -> None:
    repo = shutil.copytree(Path("feature_repo"), tmp_path / "repo", ignore=shutil.ignore_patterns("served"))
    promises = repo / "served"
    promises.touch()
    done = _run(tmp_path, "features", "check", "--write", PHOTOFEED_FEATURE_REPO=str(repo))
    assert (done.returncode, done.stderr) == (1, f"photofeed: {promises}: File exists\n")


def test_a_preview_asks_which_models(tmp_path: Path) -> None:
    done = _run(tmp_path, "preview", "--user", "anybody", "--models", " , ")
    assert (done.returncode, done.stderr) == (1, "photofeed: say which models are to rank: --models champion,5\n")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [("PHOTOFEED_ENV", "production", "PHOTOFEED_JWT_SECRET"), ("PHOTOFEED_PORT", "http", "PHOTOFEED_PORT")],
)
def test_settings_that_make_no_sense_are_named_in_one_line(
    tmp_path: Path, variable: str, value: str, said: str
) -> None:
    done = _run(tmp_path, "token", "--scope", SERVICE, **{variable: value})
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("photofeed: settings: ")
    assert said in line


def test_a_token_for_a_service_holds(stack: "EmbeddedStack") -> None:
    done = _run(stack.state.path, "token", "--scope", SERVICE)
    assert done.returncode == 0, done.stderr
    assert TokenVerifier(stack.settings()).verify(done.stdout.strip()).is_service


def test_wrong_usage_is_exit_code_2(tmp_path: Path) -> None:
    assert _run(tmp_path, "work", "nothing").returncode == 2
    assert _run(tmp_path, "no-such-command").returncode == 2
