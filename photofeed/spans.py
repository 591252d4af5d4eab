"""Spans of OpenTelemetry, and their export as OTLP over HTTP. Only `tracing.py` and what it switches on import this."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import Self

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes

from photofeed.events import Envelope
from photofeed.settings import Settings

_EXPORT_SECONDS = 5.0  # the collector has so long for a batch; a process that stops waits no longer
_NAME = "traceparent"
_W3C = TraceContextTextMapPropagator()


class Spans:
    """Makes the spans of one process."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("photofeed")

    @classmethod
    def exported(cls, settings: Settings, service: str) -> Self:
        """Spans that are sent to the endpoint of the settings, by a thread. What it cannot send is dropped."""
        provider = TracerProvider(
            sampler=ParentBased(_RequestsAndBatches(settings.traces_ratio)),
            resource=Resource.create({"service.name": service}),
            shutdown_on_exit=False,
        )
        endpoint = f"{settings.traces_endpoint.rstrip('/')}/v1/traces"
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint, timeout=_EXPORT_SECONDS)))
        return cls(provider)

    def close(self) -> None:
        """Send what is left, and stop."""
        self._provider.shutdown()

    def traceparent(self) -> str | None:
        """The current span in W3C's form; None if it is not sampled."""
        return _text(trace.get_current_span().get_span_context())

    def ids(self) -> dict[str, str]:
        """Ids of the current trace and span, for a line of the log; none without a span."""
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return {}
        return {"trace_id": trace.format_trace_id(context.trace_id), "span_id": trace.format_span_id(context.span_id)}

    @contextmanager
    def request(self, method: str, parent: str | None) -> Iterator[Span]:
        """The span of a request, which the caller's context begins if there is one; the ratio decides otherwise."""
        context = Context() if parent is None else _W3C.extract({_NAME: parent}, Context())
        with self._tracer.start_as_current_span(
            method, context, SpanKind.SERVER, {"http.request.method": method}
        ) as span:
            yield span

    def inside(self, name: str, attributes: Mapping[str, str | int]) -> AbstractContextManager[object]:
        """A span inside the current one."""
        if not _is_sampled():
            return nullcontext()
        return self._tracer.start_as_current_span(name, attributes=attributes)

    def past(self, durations: Sequence[tuple[str, float]]) -> None:
        """Spans inside the current one that followed each other until now; durations in milliseconds."""
        if not _is_sampled():
            return
        begins = time.time_ns() - sum(_nanoseconds(millis) for _, millis in durations)
        for name, millis in durations:
            ends = begins + _nanoseconds(millis)
            self._tracer.start_span(name, start_time=begins).end(ends)
            begins = ends

    @contextmanager
    def sending(self, topic: str, envelopes: Sequence[Envelope]) -> Iterator[Sequence[Envelope]]:
        """A span per message of a trace, inside its context or else the current one; yields messages with contexts."""
        with ExitStack() as owned:
            yield [owned.enter_context(self._sent(topic, envelope)) for envelope in envelopes]

    @contextmanager
    def _sent(self, topic: str, envelope: Envelope) -> Iterator[Envelope]:
        parent = envelope.traceparent or self.traceparent()
        if parent is None:
            yield envelope
            return
        attributes = _of_message(topic, envelope)
        span = self._tracer.start_span(f"send {topic}", _context(parent), SpanKind.PRODUCER, attributes)
        with trace.use_span(span, end_on_exit=True):
            yield replace(envelope, traceparent=_text(span.get_span_context()))

    @contextmanager
    def receiving(self, group: str, envelope: Envelope) -> Iterator[None]:
        """The span of handling a message, which continues its trace; none if it has none."""
        if envelope.traceparent is None:
            yield
            return
        with self._tracer.start_as_current_span(
            f"{group} {envelope.type}",
            _context(envelope.traceparent),
            SpanKind.CONSUMER,
            {"messaging.consumer.group.name": group, "messaging.message.id": envelope.id},
        ):
            yield

    @contextmanager
    def batch(self, group: str, messages: int, parents: Sequence[str]) -> Iterator[None]:
        """The span of handling a batch, with a link to each of these contexts; none without any."""
        if not parents:
            yield
            return
        links = [Link(trace.get_current_span(_context(one)).get_span_context()) for one in parents]
        attributes: dict[str, str | int] = {
            "messaging.consumer.group.name": group,
            "messaging.batch.message_count": messages,
        }
        with self._tracer.start_as_current_span(f"{group} batch", Context(), SpanKind.CONSUMER, attributes, links):
            yield

    @staticmethod
    def fail(span: Span, reason: str) -> None:
        """Mark a span as failed."""
        span.set_status(Status(StatusCode.ERROR, reason))

    def moment(self, name: str, parent: str, cause: SpanContext | None, attributes: Mapping[str, str | int]) -> None:
        """A span without duration in a trace, with a link to what caused it."""
        links = [] if cause is None else [Link(cause)]
        self._tracer.start_span(name, _context(parent), attributes=attributes, links=links).end()


class _RequestsAndBatches(Sampler):
    """Samples a share of all requests, and every batch, because it has links to messages that are sampled."""

    def __init__(self, ratio: float) -> None:
        self._ratio = TraceIdRatioBased(ratio)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: trace.TraceState | None = None,
    ) -> SamplingResult:
        """Whether the first span of a trace is recorded."""
        if links:
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, trace_state)
        return self._ratio.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """Its name in diagnostics."""
        return f"batches and {self._ratio.get_description()}"


def current_context() -> SpanContext | None:
    """The context of the current span; None if it is not sampled."""
    context = trace.get_current_span().get_span_context()
    return context if context.is_valid and context.trace_flags.sampled else None


def _is_sampled() -> bool:
    return trace.get_current_span().get_span_context().trace_flags.sampled


def _text(context: SpanContext) -> str | None:
    if not (context.is_valid and context.trace_flags.sampled):
        return None
    return f"00-{trace.format_trace_id(context.trace_id)}-{trace.format_span_id(context.span_id)}-01"


def _context(traceparent: str) -> Context:
    return _W3C.extract({_NAME: traceparent}, Context())


def _of_message(topic: str, envelope: Envelope) -> dict[str, str | int]:
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": topic,
        "messaging.message.id": envelope.id,
        "photofeed.message.type": envelope.type,
    }


def _nanoseconds(milliseconds: float) -> int:
    return round(milliseconds * 1_000_000)
