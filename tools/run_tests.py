"""`python -m tools.run_tests`: all tests in three parts at once, each with servers of its own.

Tests wait for servers, brokers and programs, so two processors run three parts sooner than two. The parts take about
the same time.

Which tests share servers, and in which order, is always the same. With `--again N`, up to N tests that fail are run a
second time: alone, on new servers. A test that passes then is unsteady: it is listed, and the run passes. CI uses this,
so that one of 4,700 tests on real servers does not hide the result of the others. An unsteady test is a fault to mend.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

API, UNIT = ("tests/api",), ("tests/unit", "tests/contract", "tests/deploy")
PARTS = {"api": API, "unit": UNIT, "rest": tuple(f"--ignore={folder}" for folder in API + UNIT)}
BUILD = Path("build")
PASSED, FAILED, NOT_RUN = 0, 1, 2  # exit codes of pytest; all others mean that tests were not run, too


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the tests, and the folder in which pytest remembers what failed."""

    name: str
    arguments: tuple[str, ...]

    @property
    def cache(self) -> Path:
        """The cache of pytest."""
        return BUILD / "tests" / self.name

    def start(self, output: IO[bytes] | None, *options: str) -> subprocess.Popen[bytes]:
        """Run it in a process of its own."""
        command = [sys.executable, "-m", "pytest", "-o", f"cache_dir={self.cache}", *options, *self.arguments]
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT if output else None)  # noqa: S603

    def failed(self) -> list[str]:
        """The tests that failed in the last run."""
        remembered = self.cache / "v" / "cache" / "lastfailed"
        return sorted(json.loads(remembered.read_bytes())) if remembered.exists() else []


def run(parts: Sequence[Part], again: int) -> int:
    """Run the parts at once; the exit code.

    Args:
        parts: all but the last write into a log, which is printed at the end.
        again: how many failed tests may be run a second time.
    """
    shutil.rmtree(BUILD / "tests", ignore_errors=True)
    BUILD.mkdir(exist_ok=True)
    log = BUILD / "tests.log"
    with log.open("wb") as output:
        running = [part.start(None if part is parts[-1] else output) for part in parts]
        codes = [process.wait() for process in reversed(running)][::-1]
    sys.stdout.write(log.read_text(errors="replace"))
    if any(code not in (PASSED, FAILED) for code in codes):
        return NOT_RUN
    failed = {part: part.failed() for part, code in zip(parts, codes, strict=True) if code == FAILED}
    tests = sorted(test for found in failed.values() for test in found)
    if not tests or len(tests) > again or not all(failed.values()):
        return max(codes)
    sys.stdout.write(f"\n{len(tests)} failed: running them once more, alone\n")
    sys.stdout.flush()
    if any(part.start(None, "--last-failed").wait() != PASSED for part in failed):
        return FAILED
    sys.stdout.writelines(f"UNSTEADY {test}: failed, then passed alone\n" for test in tests)
    return PASSED


def main() -> int:
    """Run all tests of the working directory."""
    parser = argparse.ArgumentParser(prog="python -m tools.run_tests", description=__doc__.split("\n\n")[0])
    parser.add_argument("--again", type=int, default=0, metavar="N", help="failed tests that may run a second time")
    return run([Part(name, arguments) for name, arguments in PARTS.items()], parser.parse_args().again)


if __name__ == "__main__":
    sys.exit(main())
