"""`make lock` writes the locked requirements; `make lock-check` fails if they are out of date or cannot be installed.

One lock holds for every supported Python and platform: requirements that only some of them need carry a marker.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from environments import ROOT, UV

LOCK = "requirements.lock"
EXTRAS = ("embedded", "spark", "notebooks", "dev")
ROLES = ("serving", "ingestion", "training")
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "aarch64-apple-darwin")
OLDEST_MACOS = "14.0"  # of onnxruntime's wheels
# These publish no wheel, or none for some of the platforms; installing them there takes a C compiler (blurhash-python).
FROM_SOURCE = frozenset({"pyspark", "blurhash-python"})

_COMPILE = ("pip", "compile", "--quiet", "--no-header", "--no-annotate")
_UNIVERSAL = ("--universal", "--python-version", PYTHONS[0], "--generate-hashes")


def role_lock(role: str) -> str:
    """The lock of one role, relative to the root."""
    return f"requirements/{role}.lock"


def write_locks(folder: Path, *, upgrade: bool = False) -> None:
    """Resolve pyproject.toml into the locks in `folder`; without `upgrade`, pins there stay where they still fit."""
    lock = folder / LOCK
    extras = [argument for extra in EXTRAS for argument in ("--extra", extra)]
    pins = ["--upgrade"] if upgrade else []
    _uv(*_COMPILE, *_UNIVERSAL, *pins, *extras, "--output-file", str(lock), "pyproject.toml")
    for role in ROLES:
        target = folder / role_lock(role)
        target.parent.mkdir(exist_ok=True)
        target.unlink(missing_ok=True)
        _uv(*_COMPILE, *_UNIVERSAL, "--group", role, "--constraints", str(lock), "--output-file", str(target))


def outdated_locks() -> list[str]:
    """Locks that `make lock` would change."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(ROOT / LOCK, folder / LOCK)
        write_locks(folder)
        locks = [LOCK, *map(role_lock, ROLES)]
        return [lock for lock in locks if not _same(ROOT / lock, folder / lock)]


def unresolved(python: str, platform: str) -> str | None:
    """Why the lock cannot be installed there; None if every pin has a wheel that fits."""
    pins = re.findall(r"^([a-z0-9][a-z0-9._-]*)==", (ROOT / LOCK).read_text(), flags=re.MULTILINE)
    wheels = [argument for pin in pins if pin not in FROM_SOURCE for argument in ("--only-binary", pin)]
    target = ("--python-version", python, "--python-platform", platform)
    try:
        _uv(*_COMPILE, "--no-deps", *target, *wheels, LOCK)
    except subprocess.CalledProcessError as error:
        return str(error.stderr).strip()
    return None


def check() -> int:
    """Check everything; the exit code."""
    faults = [f"{lock} is out of date: run `make lock`" for lock in outdated_locks()]
    for platform in PLATFORMS:
        for python in PYTHONS:
            reason = unresolved(python, platform)
            print(f"{LOCK} on Python {python}, {platform}: {'no' if reason else 'ok'}")
            if reason:
                faults.append(reason)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def _uv(*arguments: str) -> None:
    environment = os.environ | {"MACOSX_DEPLOYMENT_TARGET": OLDEST_MACOS}
    subprocess.run([UV, *arguments], cwd=ROOT, env=environment, check=True, capture_output=True, text=True)


def _same(left: Path, right: Path) -> bool:
    return left.exists() and left.read_text() == right.read_text()


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit code 1 if anything is wrong")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that pyproject.toml allows")
    options = parser.parse_args()
    if options.check:
        return check()
    try:
        write_locks(ROOT, upgrade=options.upgrade)
    except subprocess.CalledProcessError as error:
        print(error.stderr.strip(), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
