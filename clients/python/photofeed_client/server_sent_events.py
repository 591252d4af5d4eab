"""Reads server-sent events from lines (WHATWG HTML, section 9.2)."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event."""

    name: str
    data: str


@dataclass(slots=True)
class EventReader:
    """Collects the lines of a stream into events, and remembers the last id and the time to connect again."""

    last_id: str = ""
    retry_seconds: float = 2.0
    _name: str = ""
    _data: list[str] = field(default_factory=list)

    def feed(self, line: str) -> ServerSentEvent | None:
        """Add a line without its end; the event that it completes, if any."""
        if not line:
            event = ServerSentEvent(self._name or "message", "\n".join(self._data)) if self._data else None
            self._name, self._data = "", []
            return event
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._name = value
        elif name == "id":
            self.last_id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry_seconds = int(value) / 1000
        return None
