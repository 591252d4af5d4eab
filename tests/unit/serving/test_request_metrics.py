"""Replies are counted, and timed until they begin, under the template of their route."""

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from starlette.types import Message, Receive, Scope, Send

from serving.api import request_metrics
from serving.api.request_metrics import RequestMetrics
from tests.doubles.module_time import patch_time
from tests.metric_values import metric

ROUTE = "/v1/things/{thing}"


def _metrics(method: str, route: str, status: str) -> list[float]:
    """Replies with the status, replies that were timed, and the sum of their seconds."""
    seconds = [metric(f"photofeed_http_request_seconds_{one}", method=method, route=route) for one in ("count", "sum")]
    return [metric("photofeed_http_requests_total", method=method, route=route, status=status), *seconds]


@pytest.mark.parametrize(
    ("scope", "labels"),
    [
        ({"type": "http", "method": "GET", "route": SimpleNamespace(path=ROUTE)}, ("GET", ROUTE)),
        ({"type": "http", "method": "DELETE", "route": SimpleNamespace(path=ROUTE)}, ("DELETE", ROUTE)),
        ({"type": "http", "method": "BREW", "path": "/v1/made-up"}, ("other", "other")),
    ],
)
def test_a_reply_is_counted_and_timed_until_it_begins(
    monkeypatch: pytest.MonkeyPatch, scope: dict[str, Any], labels: tuple[str, str]
) -> None:
    clock = [100.0]
    patch_time(monkeypatch, request_metrics, perf_counter=lambda: clock[0])
    sent: list[Message] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        clock[0] += 2
        await send({"type": "http.response.start", "status": 418, "headers": []})
        clock[0] += 50  # a long stream
        for _part in range(2):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    before = _metrics(*labels, "418")
    asyncio.run(RequestMetrics(app)(scope, _nothing, _append_to(sent)))
    assert np.subtract(_metrics(*labels, "418"), before).tolist() == [1, 1, 2]
    assert [message["type"] for message in sent] == ["http.response.start"] + ["http.response.body"] * 2


def test_other_connections_pass_without_being_counted() -> None:
    sent: list[Message] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 418})

    before = _metrics("GET", ROUTE, "418")
    scope = {"type": "lifespan", "method": "GET", "route": SimpleNamespace(path=ROUTE)}
    asyncio.run(RequestMetrics(app)(scope, _nothing, _append_to(sent)))
    assert _metrics("GET", ROUTE, "418") == before
    assert len(sent) == 1


async def _nothing() -> Message:
    raise AssertionError


def _append_to(sent: list[Message]) -> Send:
    async def send(message: Message) -> None:
        sent.append(message)

    return send
