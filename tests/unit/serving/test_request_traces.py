"""Which requests are traced, and whose traces they continue."""

import secrets
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from photofeed.settings import Settings
from photofeed.tracing import tracing
from serving.api.request_traces import RequestTraces
from tests.doubles.trace_collector import TraceCollector, collecting

CALLERS_SPAN = "ab" * 8
STATUSES = (200, 404, 429, 499, 500, 503)


@pytest.fixture
def collector() -> Iterator[TraceCollector]:
    with collecting() as running:
        yield running


def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse("", status_code=int(request.query_params.get("status", "200")))


def call(collector: TraceCollector, *, peer: str, ratio: float, path: str = "/things/7", context: str = "") -> None:
    """One request to an application that traces."""
    settings = Settings(traces_endpoint=collector.address, traces_ratio=ratio)
    app = FastAPI()
    app.add_api_route("/things/{thing}", answer)
    app.add_api_route("/healthz", answer)
    app.add_middleware(RequestTraces, settings=settings)
    with tracing(settings, "api"), TestClient(app, client=(peer, 40_000)) as http:
        assert http.get(path, headers={"traceparent": context} if context else {}).status_code in STATUSES


@pytest.mark.parametrize(("peer", "trusted"), [("127.0.0.1", True), ("10.1.2.3", True), ("203.0.113.9", False)])
def test_only_a_trusted_peer_has_its_requests_traced(collector: TraceCollector, peer: str, *, trusted: bool) -> None:
    trace = secrets.token_hex(16)
    call(collector, peer=peer, ratio=0.0, context=f"00-{trace}-{CALLERS_SPAN}-01")
    assert [(span.trace, span.parent) for span in collector.spans] == ([(trace, CALLERS_SPAN)] if trusted else [])


def test_a_stranger_begins_a_trace_of_its_own(collector: TraceCollector) -> None:
    trace = secrets.token_hex(16)
    call(collector, peer="203.0.113.9", ratio=1.0, context=f"00-{trace}-{CALLERS_SPAN}-01")
    (span,) = collector.spans
    assert span.parent == ""
    assert span.trace != trace


def test_a_peer_without_an_address_is_a_stranger(collector: TraceCollector) -> None:
    call(collector, peer="", ratio=0.0, context=f"00-{secrets.token_hex(16)}-{CALLERS_SPAN}-01")
    assert collector.spans == []


def test_a_span_is_named_by_its_route_and_never_by_the_path(collector: TraceCollector) -> None:
    call(collector, peer="127.0.0.1", ratio=1.0, path="/things/secret?status=503")
    (span,) = collector.spans
    assert span.name == "GET /things/{thing}"
    assert span.attributes == {
        "http.request.method": "GET",
        "http.route": "/things/{thing}",
        "http.response.status_code": 503,
    }


@pytest.mark.parametrize("status", STATUSES)
def test_a_span_fails_if_the_server_does_and_not_if_the_caller_does(collector: TraceCollector, status: int) -> None:
    call(collector, peer="127.0.0.1", ratio=1.0, path=f"/things/7?status={status}")
    (span,) = collector.spans
    assert span.failure == (str(status) if status >= 500 else None)


def test_probes_are_not_traced(collector: TraceCollector) -> None:
    call(collector, peer="127.0.0.1", ratio=1.0, path="/healthz")
    assert collector.spans == []
