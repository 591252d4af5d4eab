"""A collector of traces: takes OTLP over HTTP as an OpenTelemetry Collector does, and keeps the spans."""

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tools.listening import running_handler

PATIENCE_SECONDS = 90.0


@dataclass(frozen=True)
class CollectedSpan:
    """A span, with ids in hexadecimal; `parent` is empty for the first span of a trace, `links` are traces."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    links: tuple[str, ...]
    attributes: dict[str, Any] = field(compare=False, hash=False)
    failure: str | None = None  # why it failed


@dataclass
class TraceCollector:
    """The spans that arrived."""

    spans: list[CollectedSpan] = field(default_factory=list)
    address: str = ""
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    def trace(self, trace: str) -> list[CollectedSpan]:
        """The spans of a trace."""
        with self._arrived:
            return [span for span in self.spans if span.trace == trace]

    def wait_for(self, wanted: Callable[[CollectedSpan], bool]) -> CollectedSpan:
        """The first span that is wanted, once it has arrived."""
        with self._arrived:
            there = self._arrived.wait_for(lambda: any(map(wanted, self.spans)), PATIENCE_SECONDS)
            assert there, sorted({(span.service, span.name) for span in self.spans})
            return next(filter(wanted, self.spans))

    def take(self, body: bytes) -> None:
        """Keep the spans of an export."""
        request = ExportTraceServiceRequest.FromString(body)
        with self._arrived:
            for resource in request.resource_spans:
                service = _values(resource.resource.attributes)["service.name"]
                for span in (span for scope in resource.scope_spans for span in scope.spans):
                    self.spans.append(
                        CollectedSpan(
                            service=service,
                            name=span.name,
                            trace=span.trace_id.hex(),
                            id=span.span_id.hex(),
                            parent=span.parent_span_id.hex(),
                            links=tuple(link.trace_id.hex() for link in span.links),
                            attributes=_values(span.attributes),
                            failure=span.status.message if span.status.code == Status.STATUS_CODE_ERROR else None,
                        )
                    )
            self._arrived.notify_all()


@contextmanager
def collecting() -> Iterator[TraceCollector]:
    """A collector that listens while the context is open."""
    collector = TraceCollector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            collector.take(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Tests print nothing."""

    with running_handler(Handler) as port:
        collector.address = f"http://127.0.0.1:{port}"
        yield collector


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
