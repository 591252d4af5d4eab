"""What can go wrong while people are simulated; each message is one line.

SimulationError
├── ApiError            the API refused a call: its problem+json, spelled out
├── UnreachableError    the API cannot be reached
└── BrokenPathError     a stage of the path did not do its work
"""

from photofeed.errors import PhotofeedError


class SimulationError(PhotofeedError):
    """Base of the simulation's errors."""

    code = "simulation"


class ApiError(SimulationError):
    """The API refused a call; `code` is the problem's own, `status` the HTTP status."""

    def __init__(self, message: str, *, status: int, code: str) -> None:
        super().__init__(message, code=code)
        self.status = status


class UnreachableError(SimulationError):
    """The API cannot be reached, also after several attempts."""

    code = "unreachable"


class BrokenPathError(SimulationError):
    """A stage of the path did not do its work."""

    code = "broken_path"
