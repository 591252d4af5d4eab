"""Batches of engagement events. An event keeps its id when it is sent again, so the server counts it once."""

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from photofeed_client.errors import ApiError, UnreachableError
from photofeed_client.generated.models import Action, ClientEvent, EventsOutcome, FeedItem

BATCH = 100
MOST_WAITING = 500  # while the server is away, the oldest events above this number are dropped


class _Waiting:
    """Events that were added and not sent."""

    def __init__(self) -> None:
        self._events: list[ClientEvent] = []

    def add(self, action: Action, item: FeedItem | None = None, **fields: Any) -> None:
        """Add an event that happens now.

        Args:
            action: what the person did.
            item: of the feed, for actions on it: its post, and the receipt that proves where it was shown.
            **fields: further fields of ClientEvent, such as `dwell_ms`.
        """
        if item is not None:
            fields = {"post_id": item.post.id, "receipt": item.receipt, **fields}
        self._events.append(ClientEvent(id=str(uuid.uuid4()), type_=action, occurred_at=datetime.now(UTC), **fields))

    def _take(self) -> list[ClientEvent]:
        taken, self._events = self._events[:BATCH], self._events[BATCH:]
        return taken

    def _keep(self, events: list[ClientEvent]) -> None:
        self._events = [*events, *self._events][-MOST_WAITING:]


class EventBatch(_Waiting):
    """Collects events; `flush` sends them, and so does the end of a `with` block."""

    def __init__(self, send: Callable[[list[ClientEvent]], EventsOutcome]) -> None:
        super().__init__()
        self._send = send

    def flush(self) -> list[EventsOutcome]:
        """Send all events; what the server said of each batch.

        Raises:
            ApiError: the server refused a batch; it is kept only if a later attempt may succeed.
            UnreachableError: there was no reply; the batch is kept for the next flush.
        """
        outcomes = []
        while events := self._take():
            try:
                outcomes.append(self._send(events))
            except (ApiError, UnreachableError) as error:
                if _is_transient(error):
                    self._keep(events)
                raise
        return outcomes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()


class AsyncEventBatch(_Waiting):
    """The same for asyncio."""

    def __init__(self, send: Callable[[list[ClientEvent]], Awaitable[EventsOutcome]]) -> None:
        super().__init__()
        self._send = send

    async def flush(self) -> list[EventsOutcome]:
        """As of EventBatch."""
        outcomes = []
        while events := self._take():
            try:
                outcomes.append(await self._send(events))
            except (ApiError, UnreachableError) as error:
                if _is_transient(error):
                    self._keep(events)
                raise
        return outcomes

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.flush()


def _is_transient(error: ApiError | UnreachableError) -> bool:
    return isinstance(error, UnreachableError) or error.status == 429 or error.status >= 500  # noqa: PLR2004  HTTP
