"""HEAD for every call that answers GET: the same status and headers, without the body (RFC 9110, section 9.3.2)."""

import re

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A HEAD would rank and record a feed that nobody sees, hold a stream open, or use up a sign-in.
GET_ONLY = re.compile(r"/v1/(feed|explore|photos/[^/]+/status|me/notifications/stream|session/(sign-in|callback))")
_IS_HEAD = "photofeed.head"


class HeadRequests:
    """Runs the GET of a HEAD request, and drops the body of its reply."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or GET_ONLY.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        ended = False

        async def send_head(message: Message) -> None:
            nonlocal ended
            if message["type"] == "http.response.start":
                await send(message)
            elif not ended:
                ended = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app({**scope, "method": "GET", _IS_HEAD: True}, receive, send_head)


def is_head(request: Request) -> bool:
    """Whether the client asked for headers only, so that a costly body need not be read."""
    return bool(request.scope.get(_IS_HEAD))
