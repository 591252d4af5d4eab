"""The guardian process: stops the stack in order when the process that started it has ended or died.

The stack runs it as `python -m photofeed.embedded.guardian <run folder>` in its own session. Its standard input is a
pipe that only the stack's process holds open; end of file means that this process has stopped everything or has died.
The guardian inherits the lock of the state folder, so the next start waits until the old servers have stopped.

A death signal (PR_SET_PDEATHSIG) does not work: it follows the *thread* that forked, is cleared when the account
changes, and reaches all servers at once, while the broker must stop before the object store that it uses.
"""

import subprocess
import sys
from pathlib import Path

from photofeed.embedded.record import stop_recorded
from photofeed.embedded.state import StateFolder


class Guardian:
    """The stack's handle of its guardian process."""

    def __init__(self, state: StateFolder, lock: int) -> None:
        with (state.log / "guardian.log").open("ab") as log:
            self._popen = subprocess.Popen(  # noqa: S603  our own module
                [sys.executable, "-m", "photofeed.embedded.guardian", str(state.run)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(lock,),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The guardian's process id."""
        return self._popen.pid

    def dismiss(self) -> None:
        """End the guardian after everything has stopped; returns when the folder's lock is free."""
        self._popen.communicate()


def main(run: Path) -> None:
    """Wait for the end of standard input, then stop every recorded process."""
    sys.stdin.buffer.read()
    stop_recorded(run)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
