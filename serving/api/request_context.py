"""The context of a request: its id, in every reply and log line, and the reply to unexpected errors."""

import re

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from photofeed.ids import uuid7
from serving.api.problems import unexpected

REQUEST_ID = "X-Request-Id"
_WIRE_NAME = REQUEST_ID.lower().encode()
_PLAIN = re.compile(rb"[0-9A-Za-z._-]{1,64}")  # what may be copied into logs and replies

log = structlog.get_logger(__name__)


class RequestIds:
    """Takes the id from the header X-Request-Id, or makes one, and returns it in the reply.

    It is the outermost layer, so that every reply has an id.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        label = (_WIRE_NAME, request_id.encode())

        async def labelling_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], label]
            await send(message)

        # bound_contextvars would read all variables of the context first
        tokens = bind_contextvars(request_id=request_id)
        try:
            await self._app(scope, receive, labelling_send)
        finally:
            reset_contextvars(**tokens)


class UnexpectedErrors:
    """Logs errors that nobody expected, and answers them. It is inside the layers that add headers to every reply."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and answer what it raises."""
        started = False

        async def noting_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        except Exception as error:
            if scope["type"] != "http":
                raise
            log.error("unexpected error", path=scope["path"], exc_info=error)
            if started:
                raise  # the server closes the connection, so that the client sees a reply that is cut off
            await unexpected(Request(scope))(scope, receive, send)


def _request_id(scope: Scope) -> str:
    """The id that the client or a proxy gave, if it is plain text; else a new one."""
    for name, given in scope["headers"]:
        if name == _WIRE_NAME:
            return given.decode() if _PLAIN.fullmatch(given) else uuid7()
    return uuid7()
