"""Errors of the simulation; each message is one line.

SimulationError
├── ApiError            the API refused a call; the message is its problem+json as text
├── UnreachableError    the API cannot be reached
└── BrokenPathError     a stage of the demo did not complete
"""

from photofeed.errors import PhotofeedError


class SimulationError(PhotofeedError):
    """Base of the simulation's errors."""

    code = "simulation"


class ApiError(SimulationError):
    """The API refused a call. `code` is the code of the problem+json, `status` the HTTP status."""

    def __init__(self, message: str, *, status: int, code: str) -> None:
        super().__init__(message, code=code)
        self.status = status


class UnreachableError(SimulationError):
    """The API cannot be reached after several attempts."""

    code = "unreachable"


class BrokenPathError(SimulationError):
    """A stage of the demo did not complete."""

    code = "broken_path"
