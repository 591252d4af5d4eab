"""The plain feed request, answered in front of the framework.

Most requests are `GET /v1/feed` with a person's token and nothing else to decide. The framework resolves nine
parameters and dependencies for each of them. Here they are answered directly. All other requests, and those that fail,
go to the framework, inside the same layers: a test asks both ways and compares the replies.
"""

from http import HTTPMethod

from fastapi.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from photofeed.tokens import USER
from serving.api.feed import FEED_PATH, FIRST_PAGE_LENGTH, page_reply
from serving.services import FAILED, Services, token_caller

_DECIDING = frozenset({b"if-none-match", b"act-as", b"cookie"})
_AUTHORIZATION = b"authorization"
_SCHEME = "bearer"


class PlainFeed:
    """Answers plain feed requests, and passes the others on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on."""
        token = _plain_token(scope)
        answer = None if token is None else await _answer(scope, token)
        await (self._app if answer is None else answer)(scope, receive, send)


class _Route:
    """What the metrics of requests read of a matched route."""

    path = FEED_PATH


def _plain_token(scope: Scope) -> str | None:
    """The bearer token of a plain request; None for all other requests."""
    if scope["type"] != "http" or scope["path"] != FEED_PATH or scope["query_string"]:
        return None
    if scope["method"] != HTTPMethod.GET:
        return None
    tokens = [value for name, value in scope["headers"] if name == _AUTHORIZATION]
    if len(tokens) != 1 or any(name in _DECIDING for name, _ in scope["headers"]):
        return None
    scheme, _, token = tokens[0].decode("latin-1").partition(" ")
    return token.strip() or None if scheme.lower() == _SCHEME else None


async def _answer(scope: Scope, token: str) -> Response | None:
    """The reply to a plain request of a person; None if the framework answers it.

    What failed here fails there at once, with the same error.
    """
    services: Services = scope["state"]["services"]
    try:
        caller = await token_caller(services, token)
        if caller.is_service or USER not in caller.scopes or not caller.user_id:
            return None
        answer = page_reply(await services.feed.first_page(caller.user_id, FIRST_PAGE_LENGTH))
    except Exception as error:  # noqa: BLE001  `resolve_caller` raises it, so that it is answered as all others are
        scope[FAILED] = error
        return None
    scope["route"] = _Route
    return answer
