"""A child does not outlive a parent that was killed."""

import subprocess
import sys
from pathlib import Path

import psutil

from photofeed.embedded.record import wait_ended

PARENT = """
import multiprocessing, os, signal, sys
from photofeed.parent_watch import end_with_parent

def child():
    end_with_parent()
    print(os.getpid(), flush=True)
    signal.pause()

if __name__ == "__main__":
    multiprocessing.get_context(sys.argv[1]).Process(target=child).start()
    signal.pause()
"""


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    for method in ("fork", "spawn"):
        command = [sys.executable, str(script), method]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:  # noqa: S603  our own script
            assert parent.stdout is not None
            child = psutil.Process(int(parent.stdout.readline()))
            parent.kill()
            assert wait_ended([child], 30) == []


def test_a_process_that_the_shell_started_is_left_alone() -> None:
    command = [sys.executable, "-c", "from photofeed.parent_watch import end_with_parent; end_with_parent()"]
    assert subprocess.run(command, check=False).returncode == 0  # noqa: S603  our own command line
