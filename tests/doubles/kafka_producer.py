"""A kafka-python producer in this process that fails as configured."""

from dataclasses import dataclass, field
from typing import Any

from kafka.errors import IllegalStateError, KafkaError


@dataclass
class FutureRecord:
    """The outcome of one message."""

    error: KafkaError | None

    def get(self, timeout: float) -> None:  # noqa: ARG002  the outcome is known
        """Raise the error, if there is one."""
        if self.error is not None:
            raise self.error


@dataclass
class FakeProducer:
    """Fails messages with the given errors, one per message, and takes all others.

    Like an idempotent producer of kafka-python, it remembers a fatal error and fails every later message with it.
    """

    errors: list[KafkaError | None] = field(default_factory=list)
    refusal: Exception | None = None  # raised by `send` itself
    taken: list[bytes] = field(default_factory=list)
    headers: list[list[tuple[str, bytes]]] = field(default_factory=list)  # of what was taken
    closed: bool = False
    fatal: KafkaError | None = None

    def send(self, topic: str, *, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> Any:  # noqa: ARG002
        """Take a message, or fail it."""
        if self.closed:
            raise IllegalStateError("closed")
        if self.refusal is not None:
            raise self.refusal
        error = self.fatal or (self.errors.pop(0) if self.errors else None)
        if error is None:
            self.taken.append(value)
            self.headers.append(headers)
        elif not error.retriable:
            self.fatal = error
        return FutureRecord(error)

    def close(self, timeout: float) -> None:  # noqa: ARG002
        """Close it: it takes nothing more."""
        self.closed = True
