"""Runs the `photofeed` command as a user does."""

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from photofeed.settings import Settings
from tests.command_server import READY

_SECONDS = 300


def photofeed(*arguments: str | Path, **variables: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `photofeed` with these arguments and additional environment variables. The exit code is not checked.

    Raises:
        subprocess.TimeoutExpired: it took longer than five minutes; it is killed.
    """
    command = [str(one) for one in arguments]
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as connection:
        out, err = Path(folder, "out"), Path(folder, "err")
        out.touch()
        err.touch()
        request = {
            "arguments": command,
            "environment": os.environ | {name: str(value) for name, value in variables.items()},
            "folder": str(Path.cwd()),
            "out": str(out),
            "err": str(err),
        }
        connection.settimeout(_SECONDS)
        connection.connect(_server())
        with connection.makefile("rw") as lines:
            lines.write(json.dumps(request) + "\n")
            lines.flush()
            process = int(lines.readline())
            try:
                code = int(lines.readline())
            except TimeoutError:
                os.kill(process, signal.SIGKILL)
                raise subprocess.TimeoutExpired(["photofeed", *command], _SECONDS) from None
        return subprocess.CompletedProcess(["photofeed", *command], code, out.read_text(), err.read_text())


@cache
def _server() -> str:
    """The address of the server of commands, which is started at the first call and ends with this process."""
    folder = TemporaryDirectory()
    address = f"{folder.name}/commands"
    process = subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, "-m", "tests.command_server", address], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    atexit.register(_stop, process, folder)
    if process.stdout is None or process.stdout.readline() != READY:
        raise RuntimeError("the server of commands does not start")
    return address


def _stop(process: "subprocess.Popen[bytes]", folder: "TemporaryDirectory[str]") -> None:
    process.communicate()
    folder.cleanup()


def with_own_feature_repo(settings: Settings, folder: Path, project: str) -> Settings:
    """Settings with a copy of the feature repo, as another project of Feast."""
    repo = shutil.copytree(settings.feature_repo, folder / "feature_repo")
    configuration = repo / "feature_store.yaml"
    configuration.write_text(configuration.read_text().replace("project: photofeed", f"project: {project}"))
    return settings.model_copy(update={"feature_repo": repo})


def set_up(settings: Settings) -> None:
    """Run `photofeed setup` for a lake, a Redis and a feature repo of a test's own.

    In a process of its own: Feast keeps the modules of the first feature repo for the life of a process.
    """
    done = photofeed("setup", **feature_variables(settings))
    assert done.returncode == 0, done.stderr


def feature_variables(settings: Settings) -> dict[str, str | Path]:
    """The environment variables of a lake, a Redis and a feature repo of a test's own, on the servers of the stack."""
    return {
        "PHOTOFEED_STATE_DIR": settings.state_dir,
        "PHOTOFEED_REDIS_URL": settings.redis_url.get_secret_value(),
        "PHOTOFEED_BUCKET_LAKE": settings.bucket_lake,
        "PHOTOFEED_FEATURE_REPO": settings.feature_repo,
    }
