"""Runs the `photofeed` command as a user does."""

import os
import subprocess
import sys
from pathlib import Path

_PHOTOFEED = Path(sys.executable).with_name("photofeed")


def photofeed(*arguments: str | Path, **variables: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `photofeed` with these arguments and additional environment variables. The exit code is not checked."""
    environment = os.environ | {name: str(value) for name, value in variables.items()}
    return subprocess.run(  # noqa: S603  our own command
        [_PHOTOFEED, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
