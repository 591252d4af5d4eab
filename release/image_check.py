"""`make image-check`: carries out the steps of deploy/Dockerfile in an empty folder, without Docker.

Per image: COPY and RUN of every stage that it is built from, then a command on an embedded stack. The API and a worker
are started, and the health check of their image has to succeed. The trainer retrains: without events it has to say that
there is nothing to learn, and with a small click log it has to register a version in MLflow. The Debian packages and
the account of the images are skipped: they need root and a file system of their own.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from click_log import write_click_log
from environments import ROOT

from photofeed.embedded.stack import EmbeddedStack
from training.retrain import Outcome

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
TARGETS = ("api", "worker", "trainer")
START_SECONDS = 300.0
# What is started of an image, and the setting of the port that it answers.
STARTED = {"api": ("serve", "PHOTOFEED_PORT"), "worker": ("work photos", "PHOTOFEED_MANAGEMENT_PORT")}

_SKIPPED = ("apt-get", "useradd")
_INSIDE = re.compile(r"(?<![\w.])/(?=(?:opt|dist|build|source|web|var)(?:/|\b))")
_PYTHON_FOLDER = str(Path(sys.executable).parent)


@dataclass
class Image:
    """A folder in which stages are built; what stages copy from each other has the same path in all of them."""

    root: Path
    folder: Path = Path("/")
    variables: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)

    def carry_out(self, instruction: str, argument: str) -> None:
        """Carry out one instruction of the Dockerfile.

        Raises:
            SystemExit: a command failed.
        """
        match instruction:
            case "WORKDIR":
                self.folder = Path(argument)
                self._inside(argument).mkdir(parents=True, exist_ok=True)
            case "COPY":
                self._copy(argument.split())
            case "RUN":
                self._run(argument)
            case "ENV":
                pairs = [pair.split("=", 1) for pair in argument.split()]
                self.variables |= {name: self._path_list(value) for name, value in pairs}
            case "CMD" | "ENTRYPOINT":
                self.command += json.loads(argument)
            case "HEALTHCHECK":
                self.health = json.loads(argument.partition("CMD ")[2])

    def _inside(self, path: str) -> Path:
        return self.root / (self.folder / path).relative_to("/")

    def _path_list(self, value: str) -> str:
        return _INSIDE.sub(f"{self.root}/", value)

    def _copy(self, arguments: Sequence[str]) -> None:
        *sources, target = [argument for argument in arguments if not argument.startswith("--from=")]
        from_stage = len(sources) + 1 < len(arguments)
        into = self._inside(target)
        for source in sources:
            origin = self.root / source.lstrip("/") if from_stage else ROOT / source
            goal = into / origin.name if origin.is_file() and target.endswith("/") else into
            if origin in {goal, into}:
                continue
            goal.parent.mkdir(parents=True, exist_ok=True)
            if origin.is_dir():
                ignored = shutil.ignore_patterns("node_modules", "__pycache__", ".mypy_cache", ".ruff_cache")
                shutil.copytree(origin, goal, dirs_exist_ok=True, ignore=ignored)
            else:
                shutil.copy(origin, goal)

    def _run(self, script: str) -> None:
        if script.startswith(_SKIPPED):
            print(f"  skipped: {script}")
            return
        print(f"  {script}", flush=True)
        self._inside(".").mkdir(parents=True, exist_ok=True)
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
        done = subprocess.run(
            ["/bin/bash", "-euc", _INSIDE.sub(f"{self.root}/", script)],
            cwd=self._inside("."),
            env=clean | {"PATH": f"{_PYTHON_FOLDER}:{os.environ['PATH']}"},
            check=False,
        )
        if done.returncode:
            sys.exit(f"image-check: this step failed: {script}")


def stages() -> dict[str, list[tuple[str, str]]]:
    """Stage -> its instructions; FROM comes first."""
    found: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for line in re.sub(r"\\\n\s*", "", DOCKERFILE.read_text()).splitlines():
        instruction, _, argument = line.partition(" ")
        if instruction == "FROM":
            name = argument.rpartition(" AS ")[2]
            found[name] = []
        if name and instruction.isupper():
            found[name].append((instruction, argument.strip()))
    return found


def needed(target: str, found: dict[str, list[tuple[str, str]]]) -> Iterator[str]:
    """The stages that an image is built from, first to last, and itself; some may come twice."""
    for instruction, argument in found[target]:
        if instruction in {"FROM", "COPY"}:
            stage = argument.removeprefix("--from=").split()[0]
            if stage in found and stage != target:
                yield from needed(stage, found)
    yield target


def build(target: str, root: Path) -> Image:
    """Carry out the steps of an image in the folder `root`."""
    found, image = stages(), Image(root)
    for stage in dict.fromkeys(needed(target, found)):
        print(f"{target}: stage {stage}", flush=True)
        image.folder = Path("/")
        for instruction, argument in found[stage][1:]:
            image.carry_out(instruction, argument)
    return image


@contextmanager
def _set_up(state: Path) -> Iterator[dict[str, str]]:
    """An embedded stack that is set up; the variables that name its systems."""
    with EmbeddedStack(state) as stack:
        _here(state, "setup")
        lines = (stack.state.path / "stack.env").read_text().splitlines()
        yield dict(line.split("=", 1) for line in lines)


def _here(state: Path, *arguments: str) -> None:
    """Run a `photofeed` command of this checkout."""
    variables = os.environ | {"PHOTOFEED_STATE_DIR": str(state)}
    subprocess.run([Path(_PYTHON_FOLDER) / "photofeed", *arguments], env=variables, check=True)


def start(image: Image, state: Path, command: str, port_setting: str) -> None:
    """Start a command on an embedded stack and carry out the health check of the image until it succeeds.

    Raises:
        SystemExit: it did not succeed in time, or the command ended.
    """
    what = f"photofeed {command}"
    with _set_up(state) as given:
        port = given["PHOTOFEED_PORT"]  # free: no API of this stack runs, unless it is what is started
        here = {"PHOTOFEED_HOST": "127.0.0.1", "PHOTOFEED_MANAGEMENT_HOST": "127.0.0.1", "LANG": "C.UTF-8"}
        environment = image.variables | given | here | {port_setting: port}
        health = [argument.replace(f":{image.variables[port_setting]}/", f":{port}/") for argument in image.health]
        started = subprocess.Popen([_program(image), *command.split()], env=environment, cwd=image.root)
        try:
            until = time.monotonic() + START_SECONDS
            while subprocess.run(health, env=environment, check=False, stderr=subprocess.DEVNULL).returncode:
                if started.poll() is not None or time.monotonic() > until:
                    sys.exit(f"image-check: {what} is not healthy")
                time.sleep(1)
            print(f"{what}: healthy", flush=True)
        finally:
            started.terminate()
            started.wait(60)


def retrain(image: Image, state: Path) -> None:
    """Retrain on an empty embedded stack, and again after a click log was imported.

    Raises:
        SystemExit: a retraining ended in another way than it has to.
    """
    with _set_up(state) as given, tempfile.TemporaryDirectory(prefix="click-log-") as log:
        environment = image.variables | given | {"LANG": "C.UTF-8"}
        _retrain_once(image, environment, {Outcome.NOTHING_TO_LEARN})
        write_click_log(Path(log), datetime.now(UTC))
        _here(state, "import", log)
        # the gates may refuse what so few slates taught, which is no fault of the image
        _retrain_once(image, environment, {Outcome.CHALLENGER, Outcome.REFUSED})


def _retrain_once(image: Image, environment: Mapping[str, str], wanted: set[Outcome]) -> None:
    done = subprocess.run(
        [_program(image), "retrain"], env=environment, cwd=image.root, check=False, stdout=subprocess.PIPE, text=True
    )
    last = done.stdout.strip().rpartition("\n")[2]
    print(f"photofeed retrain: exit code {done.returncode}, {last or 'no output'}", flush=True)
    if (done.returncode, last and json.loads(last)["outcome"]) not in [(one.exit_code, one.label) for one in wanted]:
        sys.exit(f"image-check: photofeed retrain: none of {sorted(one.label for one in wanted)}")


def _program(image: Image) -> Path:
    return image.root / "opt" / "photofeed" / "bin" / image.command[0]


def main() -> None:
    """Check the images that are named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], default=[])
    targets = parser.parse_args().targets or TARGETS
    for target in targets:
        with tempfile.TemporaryDirectory(prefix="photofeed-image-") as name:
            image = build(target, Path(name) / "image")
            size = sum(file.stat().st_size for file in (image.root / "opt").rglob("*") if file.is_file())
            print(f"{target}: {size / 1e6:.0f} MB of packages", flush=True)
            (image.root / "var" / "lib" / "photofeed").mkdir(parents=True, exist_ok=True)
            if target in STARTED:
                start(image, Path(name) / "stack", *STARTED[target])
            else:
                retrain(image, Path(name) / "stack")


if __name__ == "__main__":
    main()
