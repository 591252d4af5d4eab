"""The guardian: stops the stack in order when the process that started it is gone, however it went.

Run as `python -m photofeed.embedded.guardian <run folder>` by the stack, in a session of its own. Its standard input is
a pipe that only the stack's process holds open; end of file means that process has stopped everything or has died. It
inherits the state folder's lock, so a next start waits until the servers of the last are down.

A death signal (PR_SET_PDEATHSIG) would not do: it follows the *thread* that forked, is dropped when the account
changes, and reaches all servers at once, whereas the broker has to stop before the object store under it.
"""

import subprocess
import sys
from pathlib import Path

from photofeed.embedded.record import stop_recorded
from photofeed.embedded.state import StateFolder


class Guardian:
    """The stack's handle on its guardian."""

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
        """Let the guardian go once everything is stopped; it returns when the folder is free."""
        self._popen.communicate()


def main(run: Path) -> None:
    """Wait for the end of standard input, then stop every recorded process."""
    sys.stdin.buffer.read()
    stop_recorded(run)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
