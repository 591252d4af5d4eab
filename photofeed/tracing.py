"""Traces: what a request caused, from process to process, as spans of OpenTelemetry.

Off unless PHOTOFEED_TRACES_ENDPOINT is set. While off, nothing here does work, and OpenTelemetry is not imported.
Requests are sampled. Only the context of a sampled one goes on, as W3C's `traceparent`, in the rows of the outbox and
the headers of Kafka messages.
"""

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from photofeed.events import Envelope
    from photofeed.settings import Settings
    from photofeed.spans import Spans

TRACEPARENT_HEADER = "traceparent"
MOST_LINKS = 100  # of the span of a batch

Handler = Callable[[Sequence["Envelope"]], None]


@dataclass(slots=True)
class _Process:
    """The traces of this process; None while they are off."""

    spans: "Spans | None" = None


_process = _Process()


@contextmanager
def tracing(settings: "Settings", service: str) -> Iterator[None]:
    """Trace while the context is open, if the settings have an endpoint. Spans that are left are sent at its end.

    Args:
        settings: where traces go, and how many.
        service: the name of this process in traces.
    """
    if not settings.traces_endpoint:
        yield
        return
    from photofeed.spans import Spans  # noqa: PLC0415  processes that do not trace need no OpenTelemetry

    _process.spans = Spans.exported(settings, service)
    try:
        yield
    finally:
        spans, _process.spans = _process.spans, None
        spans.close()


def is_on() -> bool:
    """Whether this process traces."""
    return _process.spans is not None


def current_spans() -> "Spans | None":
    """What makes the spans of this process; None while traces are off."""
    return _process.spans


def traceparent() -> str | None:
    """The context of the current span, for other processes; None if it is not sampled, or traces are off."""
    return None if _process.spans is None else _process.spans.traceparent()


def span(name: str, **attributes: str | int) -> AbstractContextManager[object]:
    """A span of what the block does, inside the current one; none without one."""
    return nullcontext() if _process.spans is None else _process.spans.inside(name, attributes)


def past_spans(durations: Sequence[tuple[str, float]]) -> None:
    """Spans of steps (name, milliseconds) of another process that followed each other until now."""
    if _process.spans is not None:
        _process.spans.past(durations)


def sending(topic: str, envelopes: "Sequence[Envelope]") -> "AbstractContextManager[Sequence[Envelope]]":
    """Spans of the writing of messages, while the context is open; yields the messages with their contexts."""
    return nullcontext(envelopes) if _process.spans is None else _process.spans.sending(topic, envelopes)


def continued(handler: Handler, group: str) -> Handler:
    """A handler that is called for each message alone, in a span that continues the trace of that message."""
    spans = _process.spans
    if spans is None:
        return handler

    def handle(envelopes: "Sequence[Envelope]") -> None:
        for envelope in envelopes:
            with spans.receiving(group, envelope):
                handler([envelope])

    return handle


def linked(handler: Handler, group: str) -> Handler:
    """A handler that is called for each batch in a span that refers to the traces of its messages."""
    spans = _process.spans
    if spans is None:
        return handler

    def handle(envelopes: "Sequence[Envelope]") -> None:
        parents = [one.traceparent for one in envelopes if one.traceparent is not None]
        with spans.batch(group, len(envelopes), parents[:MOST_LINKS]):
            handler(envelopes)

    return handle


def add_trace_ids(_: Any, __: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """A processor of structlog that adds the ids of the current trace and span to a line."""
    if _process.spans is not None:
        line.update(_process.spans.ids())
    return line
