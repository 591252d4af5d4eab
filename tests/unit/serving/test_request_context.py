"""The id of a request is in its log lines and its reply, and in those of no other request."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars, get_contextvars

from serving.api.request_context import RequestIds


def _scope(*headers: tuple[bytes, bytes]) -> Scope:
    return {"type": "http", "method": "GET", "path": "/", "headers": list(headers)}


async def _receive() -> Message:
    raise AssertionError


async def _call(scope: Scope, *, fails: bool = False) -> tuple[dict[str, Any], list[tuple[bytes, bytes]]]:
    """The context of log lines inside a request, and the headers of its reply."""
    inside: dict[str, Any] = {}
    sent: list[Message] = []
    own = [(b"etag", b'"x"')]

    async def app(_: Scope, __: Receive, send: Send) -> None:
        inside.update(get_contextvars())
        if fails:
            raise LookupError
        await send({"type": "http.response.start", "status": 200, "headers": own})
        await send({"type": "http.response.body", "body": b"x"})

    async def send(message: Message) -> None:
        sent.append(message)

    with bound_contextvars(server="a"):
        try:
            await RequestIds(app)(scope, _receive, send)
        finally:
            assert get_contextvars() == {"server": "a"}
    assert own == [(b"etag", b'"x"')]  # an application may send one list twice
    assert sent[1] == {"type": "http.response.body", "body": b"x"}
    return inside, sent[0]["headers"]


def test_log_lines_and_the_reply_have_the_id() -> None:
    inside, headers = asyncio.run(_call(_scope((b"x-request-id", b"edge-7"))))
    assert inside == {"server": "a", "request_id": "edge-7"}
    assert headers == [(b"etag", b'"x"'), (b"x-request-id", b"edge-7")]


@pytest.mark.parametrize("given", [[], [(b"x-request-id", b"a b")], [(b"x-request-id", b"x" * 65)]])
def test_a_request_without_a_plain_id_gets_a_new_one(given: list[tuple[bytes, bytes]]) -> None:
    inside, headers = asyncio.run(_call(_scope(*given)))
    assert headers[-1] == (b"x-request-id", inside["request_id"].encode())
    assert inside["request_id"] not in ("a b", "x" * 65)


def test_a_request_that_fails_leaves_no_id_behind() -> None:
    with pytest.raises(LookupError):
        asyncio.run(_call(_scope(), fails=True))
