"""The command line as a user sees it: fast help, one-line errors, exit codes."""

import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from photofeed import database
from photofeed.ids import encode_id
from photofeed.tokens import SERVICE, USER, TokenVerifier
from tests.command_line import photofeed

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

_USER = "insert into users (id, handle, display_name, created_at) values (%s, %s, 'T', now())"


def _run(state_dir: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return photofeed(*arguments, PHOTOFEED_STATE_DIR=state_dir, **variables)


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
    for command in ("demo", "up", "smoke", "serve", "work", "setup", "token", "train", "promote", "rollback"):
        assert f" {command} " in done.stdout


def test_a_command_that_this_environment_is_too_slim_for_says_so_in_one_line(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['photofeed', 'evaluate', '1']; sys.modules['pyarrow'] = None\n"
        "from photofeed.cli import main\n"
        "main()"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "photofeed: this environment lacks pyarrow: install all of photofeed's dependencies"
    ]


@pytest.mark.parametrize(
    "arguments",
    [("setup",), ("token", "--user", "nobody"), ("promote", "1"), ("train",), ("rollback",), ("features", "list")],
)
def test_a_command_without_a_stack_fails_with_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
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


def test_a_file_error_names_the_file_in_one_line(tmp_path: Path) -> None:
    repo = shutil.copytree(Path("feature_repo"), tmp_path / "repo", ignore=shutil.ignore_patterns("served"))
    file = repo / "served"
    file.touch()
    done = _run(tmp_path, "features", "check", "--write", PHOTOFEED_FEATURE_REPO=str(repo))
    assert (done.returncode, done.stderr) == (1, f"photofeed: {file}: File exists\n")


def test_a_preview_needs_model_names(tmp_path: Path) -> None:
    done = _run(tmp_path, "preview", "--user", "anybody", "--models", " , ", PHOTOFEED_ENV="dev")
    assert (done.returncode, done.stderr) == (1, "photofeed: name the models: --models champion,5\n")


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [("PHOTOFEED_ENV", "production", "PHOTOFEED_JWT_SECRET"), ("PHOTOFEED_PORT", "http", "PHOTOFEED_PORT")],
)
def test_invalid_settings_are_named_in_one_line(tmp_path: Path, variable: str, value: str, named: str) -> None:
    done = _run(tmp_path, "token", "--scope", SERVICE, **{variable: value})
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("photofeed: settings: ")
    assert named in line


def test_a_service_token_is_valid(stack: "EmbeddedStack") -> None:
    done = _run(stack.state.path, "token", "--scope", SERVICE)
    assert done.returncode == 0, done.stderr
    assert TokenVerifier(stack.settings()).verify(done.stdout.strip()).scopes == {SERVICE}


def test_a_token_is_of_the_person_with_this_handle_or_id(stack: "EmbeddedStack") -> None:
    settings, user = stack.settings(), uuid.uuid4().int % 2**60
    handle, nobody = f"t{user}", f"t{user + 1}"
    database.migrate(settings)
    with database.connect(settings) as connection:
        connection.execute(_USER, (user, handle))
    for name in (handle, handle.upper(), encode_id(user)):
        done = _run(stack.state.path, "token", "--user", name)
        assert done.returncode == 0, done.stderr
        verified = TokenVerifier(settings).verify(done.stdout.strip())
        assert (verified.user_id, verified.scopes) == (user, frozenset({USER}))
    for name in (nobody, encode_id(user + 1)):
        done = _run(stack.state.path, "token", "--user", name)
        assert (done.returncode, done.stdout) == (1, ""), name


def test_wrong_usage_has_exit_code_2(tmp_path: Path) -> None:
    assert _run(tmp_path, "work", "nothing").returncode == 2
    assert _run(tmp_path, "no-such-command").returncode == 2
