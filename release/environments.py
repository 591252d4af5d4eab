"""Empty virtual environments outside the checkout, to install into as a stranger would."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
UV = Path(sys.prefix) / "uv" / "bin" / "uv"


def empty_environment(folder: Path, requirements: Path, distribution: Path) -> Path:
    """Make an environment with locked `requirements` and, without its dependencies, `distribution`; its bin folder."""
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    install: list[str | Path] = [UV, "pip", "install", "--quiet", "--python", folder / "bin" / "python"]
    subprocess.run([*install, "--require-hashes", "--requirement", requirements], check=True)
    subprocess.run([*install, "--no-deps", distribution], check=True)
    return folder / "bin"
