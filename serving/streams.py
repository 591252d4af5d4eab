"""Open streams of server-sent events: a limit for each person, and one for the process."""

from collections import Counter
from collections.abc import AsyncIterable, Mapping

from prometheus_client import Gauge
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from photofeed.errors import QuotaError, RetryableError
from photofeed.settings import Settings

OPEN = Gauge("photofeed_open_streams", "Open streams of server-sent events", multiprocess_mode="livesum")
_RETRY_SECONDS = 5


class Streams:
    """Counts the streams that are open."""

    def __init__(self, settings: Settings) -> None:
        self._most_of_person = settings.streams_per_person
        self._most = settings.streams_per_process
        self._open: Counter[int] = Counter()

    def open(self, person: int) -> None:
        """Count a stream of a person; `close` must follow.

        Raises:
            QuotaError: the person has too many.
            RetryableError: the process has too many.
        """
        if self._open[person] >= self._most_of_person:
            raise QuotaError(
                f"You have {self._most_of_person} open streams, the most at a time.",
                code="too_many_streams",
                retry_after_seconds=_RETRY_SECONDS,
            )
        if self._open.total() >= self._most:
            raise RetryableError("This server has as many open streams as it can. Please try again in a moment.")
        self._open[person] += 1
        OPEN.inc()

    def close(self, person: int) -> None:
        """Count a stream as ended."""
        self._open[person] -= 1
        OPEN.dec()
        if not self._open[person]:
            del self._open[person]


class CountedStream(StreamingResponse):
    """A reply of events that is counted until it has ended, also if the client leaves before its first event."""

    def __init__(
        self, streams: Streams, person: int, events: AsyncIterable[bytes], media_type: str, headers: Mapping[str, str]
    ) -> None:
        streams.open(person)
        super().__init__(events, media_type=media_type, headers=headers)
        self._streams, self._person = streams, person

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.close(self._person)
