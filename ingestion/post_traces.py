"""Keeps the trace of each delivered post for the next feed that shows it. Fan-out does so only while traces are on."""

from collections.abc import Sequence

from photofeed.events import Envelope
from photofeed.post_traces import KEPT_SECONDS, trace_key
from photofeed.redis_client import RedisClient
from photofeed.tracing import Handler, is_on, traceparent


def keeping_traces(handler: Handler, client: RedisClient) -> Handler:
    """A handler that first keeps the contexts in which it handles posts that became visible."""
    if not is_on():
        return handler

    def handle(envelopes: Sequence[Envelope]) -> None:
        context = traceparent()
        for envelope in envelopes:
            if envelope.type == "photo.processed" and context is not None:
                client.set(trace_key(int(envelope.key)), context, ex=KEPT_SECONDS)
        handler(envelopes)

    return handle
