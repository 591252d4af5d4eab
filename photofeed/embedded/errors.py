"""What can go wrong with the embedded stack; each message is one line a newcomer can act on.

EmbeddedStackError         a PhotofeedError
├── StateFolderError      the folder cannot be used: another owner, not a state folder
├── StackRunningError     another living process holds the state folder
├── PortTakenError        a port that a setting asks for is in use
├── StackSettingsError    a setting points a client elsewhere than to the servers of this stack
├── MissingProgramError   a server's package or a system program is not installed
├── NotReadyError         a probe found the server not healthy yet; only the start loop sees it
└── ServerStartError      a server or process ended, or was not healthy in time; carries the end of its log
"""

from pathlib import Path

from photofeed.errors import PhotofeedError


class EmbeddedStackError(PhotofeedError):
    """Any failure of the embedded stack."""

    code = "embedded_stack"


class StateFolderError(EmbeddedStackError):
    """The state folder cannot be used."""


class StackRunningError(EmbeddedStackError):
    """Another living process holds the state folder."""


class PortTakenError(EmbeddedStackError):
    """A port that a setting asks for is in use."""


class StackSettingsError(EmbeddedStackError):
    """A setting points elsewhere than to the servers of this stack."""


class MissingProgramError(EmbeddedStackError):
    """A server's package or a system program is not installed."""


class NotReadyError(EmbeddedStackError):
    """The server is not healthy yet."""


class ServerStartError(EmbeddedStackError):
    """A server or process did not come up.

    `str()` is one line; `log_tail` holds the last lines it logged since this start.
    """

    def __init__(self, name: str, why: str, log: Path, log_tail: str) -> None:
        last = log_tail.rsplit("\n", 1)[-1]
        super().__init__(f"{name} {why} (log: {log}){f': {last}' if last else ''}")
        self.name = name
        self.log = log
        self.log_tail = log_tail
