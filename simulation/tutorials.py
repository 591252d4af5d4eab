"""Runs the code of the tutorials on a running stack.

A tutorial is a Markdown file. Its blocks run from top to bottom: those marked `python` in one interpreter, those marked
`sh` in a shell each. `python -m simulation.tutorials FILE` runs one tutorial.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from simulation.errors import BrokenPathError
from simulation.stages import Stages

SLOWEST_SECONDS = 600
_BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SHELL = ("bash", "-euo", "pipefail", "-c")


def run_tutorials(folder: Path, environment: Mapping[str, str], stages: Stages) -> Sequence[str]:
    """Run all tutorials of a folder in order of name, and return their names.

    Raises:
        BrokenPathError: the folder has no tutorial, or a block failed; the message names the tutorial and the error.
    """
    tutorials = sorted(folder.glob("*.md"))
    if not tutorials:
        raise BrokenPathError(f"there are no tutorials in {folder}")
    with stages.stage("tutorials", len(tutorials)) as advance:
        for tutorial in tutorials:
            _run(tutorial, environment)
            advance(1)
    return [tutorial.stem for tutorial in tutorials]


def blocks(text: str) -> Iterator[tuple[str, str, int]]:
    """The blocks that run: language, code and the number of its first line."""
    for found in _BLOCK.finditer(text):
        yield found[1], found[2], text.count("\n", 0, found.start(2)) + 1


def _run(tutorial: Path, environment: Mapping[str, str]) -> None:
    commands = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-W", "ignore", "-m", "simulation.tutorials", str(tutorial)]
    try:
        done = subprocess.run(  # noqa: S603  our own module
            command,
            env={**os.environ, **environment, "PATH": commands},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SLOWEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BrokenPathError(f"{tutorial.name}: took more than {SLOWEST_SECONDS} s") from error
    if done.returncode:
        raise BrokenPathError(f"{tutorial.name}:\n{done.stdout}")


def main(tutorial: Path) -> None:
    """Run the blocks of one tutorial. The first that fails raises."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for language, code, line in blocks(tutorial.read_text(encoding="utf-8")):
        if language == "sh":
            subprocess.run([*_SHELL, code], check=True)  # noqa: S603  a document of the repository
        else:
            # empty lines in front: a traceback names the line of the document
            exec(compile("\n" * (line - 1) + code, str(tutorial), "exec"), names)  # noqa: S102


if __name__ == "__main__":
    main(Path(sys.argv[1]))
