"""Server-sent events (WHATWG HTML, section 9.2): how an event is written, and the reply that streams events.

A client that lost the connection waits for the time of `retry:`, and sends the `id:` of the last event that it read as
`Last-Event-ID`.
"""

from collections.abc import AsyncIterator
from typing import Annotated

import orjson
from fastapi import Header, Request
from fastapi.responses import StreamingResponse

from serving.services import Services, may_go_on
from serving.streams import CountedStream

MEDIA_TYPE = "text/event-stream"
RETRY_MS = 2_000
STILL_HERE = b": still here\n\n"  # a comment: proxies close streams that are silent for longer than a minute or so

LastEventId = Annotated[
    str | None,
    Header(max_length=64, description="`id` of the last event that you read, to go on from there"),
]


def event(name: str, data: object, event_id: str) -> bytes:
    """One event with its data as JSON. The id must not have line breaks or NUL."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event_id.encode(), name.encode(), orjson.dumps(data))


def event_stream(request: Request, person: int, events: AsyncIterator[bytes]) -> StreamingResponse:
    """The reply that sends events to a person as they come. It begins with the time after which clients connect again.

    It ends when the token or session of the request no longer counts, for which `events` must not pause long.

    Raises:
        QuotaError: the person has too many open streams.
        RetryableError: the process has.
    """
    services: Services = request.state.services
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would buffer the events
    allowed = _while_allowed(request, person, events)
    return CountedStream(services.streams, person, allowed, media_type=MEDIA_TYPE, headers=headers)


async def _while_allowed(request: Request, person: int, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield b"retry: %d\n\n" % RETRY_MS
    async for one in events:
        if not await may_go_on(request, person):
            return
        yield one
