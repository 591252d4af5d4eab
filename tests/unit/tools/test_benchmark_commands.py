import re
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
TARGETS = re.findall(r"^(bench-[a-z-]+|edge|simulate-fanout):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
WITHOUT_OPTIONS = {"bench-sizes"}


def test_every_benchmark_finds_its_modules() -> None:
    """They import one another, `simulation` and `tools`, of which an installation has only some."""
    assert len(TARGETS) >= 12
    running = {
        target: subprocess.Popen(  # noqa: S603  our own commands
            ["make", "-s", target, "BENCH=--help"],  # noqa: S607
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for target in set(TARGETS) - WITHOUT_OPTIONS
    }
    output = {target: process.communicate()[0] for target, process in running.items()}
    assert {target: output[target] for target, process in running.items() if process.returncode} == {}
