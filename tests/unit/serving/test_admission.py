"""Requests over the limit of a process are refused; the others, and what only waits, are not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.types import Receive, Scope, Send

from serving.api.admission import Admission
from tests.metric_values import metric

MOST = 3
IN_PROGRESS, REFUSED = "photofeed_http_requests_in_progress", "photofeed_http_requests_refused_total"
FEED, EVENTS = "/v1/feed", "/v1/events"


class Busy:
    """An application whose requests end when they are told to, and a client of it."""

    def __init__(self) -> None:
        self.goes_on, self.began = asyncio.Event(), asyncio.Semaphore(0)
        app = FastAPI()
        app.add_middleware(Admission, most=MOST)

        @app.get(FEED)
        @app.post(EVENTS)
        async def wait() -> str:
            self.began.release()
            await self.goes_on.wait()
            return "done"

        @app.get("/v1/broken")
        async def fail() -> None:
            raise RuntimeError("broken")

        @app.post("/v1/read")
        async def read(request: Request) -> int:
            return len(await request.body())

        app.mount("/v1/stream", self._stream)

        @app.get("/healthz")
        async def healthy() -> str:
            return "ok"

        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://test")

    async def _stream(self, _: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        self.began.release()
        await self.goes_on.wait()
        await send({"type": "http.response.body", "body": b"last"})

    async def started(self, count: int, method: str, path: str, **arguments: Any) -> list[asyncio.Task[httpx.Response]]:
        """So many requests that are being worked on."""
        tasks = [asyncio.create_task(self.http.request(method, path, **arguments)) for _ in range(count)]
        for _ in tasks:
            await self.began.acquire()
        return tasks


def run(test: Callable[[Busy], Awaitable[None]]) -> None:
    async def running() -> None:
        busy = Busy()
        async with busy.http:
            await asyncio.wait_for(test(busy), 30)

    asyncio.run(running())


def test_a_request_too_many_is_refused_until_another_has_ended() -> None:
    async def test(busy: Busy) -> None:
        refused_before = metric(REFUSED, lane="others")
        held = await busy.started(MOST, "GET", FEED)
        assert metric(IN_PROGRESS, lane="others") == MOST
        refused = await busy.http.get(FEED)
        assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["code"] == "unavailable"
        assert metric(REFUSED, lane="others") == refused_before + 1
        busy.goes_on.set()
        assert {(await one).status_code for one in held} == {httpx.codes.OK}
        assert metric(IN_PROGRESS, lane="others") == 0
        assert (await busy.http.get(FEED)).status_code == httpx.codes.OK

    run(test)


@pytest.mark.parametrize(("full", "other"), [(("GET", FEED), ("POST", EVENTS)), (("POST", EVENTS), ("GET", FEED))])
def test_events_and_other_requests_have_lanes_of_their_own(full: tuple[str, str], other: tuple[str, str]) -> None:
    async def test(busy: Busy) -> None:
        held = await busy.started(MOST, *full)
        assert (await busy.http.request(*full)).status_code == httpx.codes.SERVICE_UNAVAILABLE
        held += await busy.started(MOST, *other)
        assert (await busy.http.request(*other)).status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert (await busy.http.get("/healthz")).status_code == httpx.codes.OK
        busy.goes_on.set()
        assert {(await one).status_code for one in held} == {httpx.codes.OK}

    run(test)


def test_a_request_whose_body_arrives_slowly_does_not_count() -> None:
    async def test(busy: Busy) -> None:
        slow: list[asyncio.Task[httpx.Response]] = []

        async def body() -> AsyncIterator[bytes]:
            yield b"x"
            busy.began.release()
            await busy.goes_on.wait()
            yield b"y"

        for _ in range(2 * MOST):
            slow += await busy.started(1, "POST", "/v1/read", content=body())
        assert metric(IN_PROGRESS, lane="others") == 0
        held = await busy.started(MOST, "GET", FEED)
        busy.goes_on.set()
        assert [(await one).json() for one in slow] == [2] * 2 * MOST
        assert {(await one).status_code for one in held} == {httpx.codes.OK}
        assert metric(IN_PROGRESS, lane="others") == 0

    run(test)


def test_an_open_stream_does_not_count() -> None:
    async def test(busy: Busy) -> None:
        streams = await busy.started(2 * MOST, "GET", "/v1/stream/")
        held = await busy.started(MOST, "GET", FEED)
        busy.goes_on.set()
        assert [(await one).content for one in streams] == [b"firstlast"] * 2 * MOST
        assert {(await one).status_code for one in held} == {httpx.codes.OK}

    run(test)


def test_a_request_that_failed_or_whose_client_left_does_not_count() -> None:
    async def test(busy: Busy) -> None:
        for _ in range(2 * MOST):
            assert (await busy.http.get("/v1/broken")).status_code == httpx.codes.INTERNAL_SERVER_ERROR
        for one in await busy.started(MOST, "GET", FEED):
            one.cancel()
            await asyncio.wait([one])
        held = await busy.started(MOST, "GET", FEED)
        busy.goes_on.set()
        assert {(await one).status_code for one in held} == {httpx.codes.OK}

    run(test)
