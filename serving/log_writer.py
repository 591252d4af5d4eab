"""Writes to the event log from the event loop, with threads and a deadline of its own."""

from collections.abc import Sequence

import anyio
import anyio.to_thread
import structlog

from photofeed.errors import RetryableError
from photofeed.event_log import EventPublisher
from photofeed.events import Envelope
from photofeed.topics import Topic

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 2.5  # how long a request waits for the event log, so that it is refused within 3 s
_THREADS = 16


class LogWriter:
    """Publishes for requests. A log that does not answer delays no other work than these requests."""

    def __init__(self, publisher: EventPublisher, seconds: float = PATIENCE_SECONDS) -> None:
        self._publisher = publisher
        self._seconds = seconds
        self._threads = anyio.CapacityLimiter(_THREADS)

    async def publish(self, topic: Topic, envelopes: Sequence[Envelope]) -> None:
        """Write envelopes; returns when all of them are durable.

        Raises:
            RetryableError: not all were written in time; some may have been, or may be later.
        """
        try:
            with anyio.fail_after(self._seconds):
                await anyio.to_thread.run_sync(
                    self._publisher.publish, topic.name, envelopes, limiter=self._threads, abandon_on_cancel=True
                )
        except TimeoutError as error:
            raise RetryableError("The event log does not answer. Please try again in a moment.") from error
        except RetryableError as error:
            log.warning("the event log refused events", error=str(error))
            raise RetryableError("The event log cannot take events now. Please try again in a moment.") from error
