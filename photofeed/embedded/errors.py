"""The errors of the embedded stack; each message is one line that says what to do.

EmbeddedStackError         a PhotofeedError
├── StateFolderError      the folder cannot be used: it has another owner, or is not a state folder
├── StackRunningError     another living process holds the state folder
├── PortTakenError        the port of a setting is in use
├── StackSettingsError    a setting points to other servers than those of this stack
├── MissingProgramError   a server's package or a system program is not installed
├── NotReadyError         a probe found that the server is not healthy yet; the start loop handles it
└── ServerStartError      a server or process ended, or was not healthy in time; has the end of its log
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
    """The port of a setting is in use."""


class StackSettingsError(EmbeddedStackError):
    """A setting points to other servers than those of this stack."""


class MissingProgramError(EmbeddedStackError):
    """A server's package or a system program is not installed."""


class NotReadyError(EmbeddedStackError):
    """The server is not healthy yet."""


class ServerStartError(EmbeddedStackError):
    """A server or process did not start.

    `str()` is one line; `log_tail` has the last lines that it logged since this start.
    """

    def __init__(self, name: str, why: str, log: Path, log_tail: str) -> None:
        last = log_tail.rsplit("\n", 1)[-1]
        super().__init__(f"{name} {why} (log: {log}){f': {last}' if last else ''}")
        self.name = name
        self.log = log
        self.log_tail = log_tail
