"""A body over the limit is refused, whether its length is announced or only found while reading."""

import asyncio
from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from serving.api.body_limit import BodyLimit
from serving.api.problems import install_problem_handlers

LIMIT = 1000


@pytest.fixture
def http() -> Iterator[TestClient]:
    app = FastAPI()
    app.add_middleware(BodyLimit, max_bytes=LIMIT, seconds=60)
    install_problem_handlers(app, lambda _: {})

    @app.post("/")
    async def length(request: Request) -> int:
        return len(await request.body())

    with TestClient(app) as client:
        yield client


def _in_chunks(total: int) -> Iterator[bytes]:
    for start in range(0, total, 100):
        yield b"x" * min(100, total - start)


def test_a_body_of_exactly_the_limit_is_read(http: TestClient) -> None:
    assert http.post("/", content=b"x" * LIMIT).json() == LIMIT
    assert http.post("/", content=_in_chunks(LIMIT)).json() == LIMIT


def test_a_body_with_a_larger_announced_length_is_refused(http: TestClient) -> None:
    reply = http.post("/", content=b"x" * (LIMIT + 1))
    assert (reply.status_code, reply.json()["code"]) == (413, "body_too_large")


def test_a_body_that_grows_over_the_limit_is_refused(http: TestClient) -> None:
    reply = http.post("/", content=_in_chunks(LIMIT + 1))
    assert (reply.status_code, reply.json()["code"]) == (413, "body_too_large")
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate", "gzip, br", "GZIP"])
def test_a_compressed_body_is_refused_in_words(http: TestClient, encoding: str) -> None:
    reply = http.post("/", content=b"\x1f\x8b\x08", headers={"Content-Encoding": encoding})
    assert (reply.status_code, reply.json()["code"]) == (415, "unsupported_media_type")
    assert "Content-Encoding" in reply.json()["detail"]
    assert reply.headers["accept-encoding"] == "identity"


def test_a_body_that_says_it_is_not_compressed_is_read(http: TestClient) -> None:
    assert http.post("/", content=b"xyz", headers={"Content-Encoding": "identity"}).json() == 3


def test_an_announced_length_may_have_any_number_of_digits(http: TestClient) -> None:
    reply = http.post("/", content=_in_chunks(10), headers={"Content-Length": "9" * 5000})
    assert (reply.status_code, reply.json()["code"]) == (413, "body_too_large")


async def _stalled() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def _called(receive: Receive, seconds: float) -> tuple[list[Message], list[Message]]:
    """What an application behind the limit receives until it has the body, and what is sent."""
    received: list[Message] = []
    sent: list[Message] = []

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        received.append(await receive())
        while received[-1].get("more_body"):
            received.append(await receive())

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"transfer-encoding", b"chunked")]}
    await BodyLimit(app, LIMIT, seconds)(scope, receive, send)
    return received, sent


def test_the_parts_of_a_body_count_together() -> None:
    parts: Iterator[Message] = iter(
        {"type": "http.request", "body": b"x" * size, "more_body": True} for size in (LIMIT // 2, LIMIT // 2, 1)
    )

    async def receive() -> Message:
        return next(parts, None) or await _stalled()

    received, sent = asyncio.run(_called(receive, 60))
    assert sum(len(part["body"]) for part in received) == LIMIT
    assert sent[0]["status"] == 413
    assert b"body_too_large" in sent[1]["body"]


def test_a_body_that_does_not_arrive_is_refused() -> None:
    parts: Iterator[Message] = iter([{"type": "http.request", "body": b"x", "more_body": True}])

    async def receive() -> Message:
        return next(parts, None) or await _stalled()

    received, sent = asyncio.run(_called(receive, 0.01))
    assert [part["body"] for part in received] == [b"x"]
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
    assert b"request_timeout" in sent[1]["body"]


def test_a_client_may_wait_for_a_reply_longer_than_its_body_may_take() -> None:
    parts: Iterator[Message] = iter(
        [{"type": "http.request", "body": b"x", "more_body": False}, {"type": "http.disconnect"}]
    )

    async def late() -> Message:
        return next(parts)

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        await receive()
        await asyncio.wait_for(receive(), 5)  # the time for the body is over, and it is not counted any more

    async def nothing(_: Message) -> None:
        pass

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    asyncio.run(BodyLimit(app, LIMIT, 0.0001)(scope, late, nothing))
    assert next(parts, None) is None
