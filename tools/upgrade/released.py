"""Version 0.1.0, installed from the repository's history with the dependencies that it locked."""

import io
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

COMMIT = "0e81d39"
REPOSITORY = Path(__file__).parents[2]
_FOLDER = REPOSITORY / ".venv" / "released" / COMMIT  # kept by `make clean` for as long as the environment
_UV = REPOSITORY / ".venv" / "uv" / "bin" / "uv"
# A small world by the people of that version: photos, follows, engagement, features, and a model that is served.
_FILL = """
import sys
from pathlib import Path
from rich.console import Console
from simulation.smoke import run_smoke
from simulation.stages import ConsoleStages
run_smoke(Path(sys.argv[1]), ConsoleStages(Console(stderr=True))).check()
"""


class NotThereError(Exception):
    """Version 0.1.0 cannot be installed here."""


@dataclass(frozen=True, slots=True)
class Released:
    """An installed version, in a folder with its source and its environment."""

    folder: Path

    @property
    def source(self) -> Path:
        """Its files."""
        return self.folder / "source"

    @property
    def photofeed(self) -> str:
        """Its command line program."""
        return str(self.program("photofeed"))

    @property
    def variables(self) -> dict[str, str]:
        """What its processes need beside the addresses of a stack."""
        return {"PHOTOFEED_FEATURE_REPO": str(self.source / "feature_repo")}

    def program(self, name: str) -> Path:
        """A program of its environment."""
        return self.folder / "venv" / "bin" / name

    def fill(self, state: Path) -> None:
        """Start a whole stack of it in an empty folder, fill it, train and promote a model, and stop it.

        Raises:
            subprocess.CalledProcessError: a stage failed; it has said which.
        """
        command = [str(self.program("python")), "-P", "-W", "ignore", "-c", _FILL, str(state)]
        environment = {**os.environ, **self.variables}
        subprocess.run(command, cwd=self.source, env=environment, check=True)  # noqa: S603  our own command


def installed() -> Released:
    """Install version 0.1.0, unless it is there.

    Raises:
        NotThereError: its commit is not in the repository, or its dependencies cannot be fetched.
    """
    released, done = Released(_FOLDER), _FOLDER / ".installed"
    if not done.exists():
        archive = _run("git", "-C", str(REPOSITORY), "archive", COMMIT)
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(released.source, filter="data")
        _run(sys.executable, "-m", "venv", "--without-pip", "--clear", str(_FOLDER / "venv"))
        python = ("--quiet", "--python", str(released.program("python")))
        _run(str(_UV), "pip", "sync", *python, "--require-hashes", str(released.source / "requirements.lock"))
        _run(str(_UV), "pip", "install", *python, "--no-deps", "--editable", str(released.source))
        done.touch()
    return released


def _run(*command: str) -> bytes:
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603  fixed commands
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no output"]
        raise NotThereError(f"{Path(command[0]).name} {command[1]}: {lines[-1]}")
    return done.stdout
