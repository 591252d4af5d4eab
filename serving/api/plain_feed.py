"""The plain feed request, answered in front of the framework.

Most requests are `GET /v1/feed` with a token that this process has checked and nothing else to decide. The framework
resolves nine parameters and dependencies for each of them. Here they are answered directly. All other requests, and
those that fail, go to the framework, inside the same layers: a test asks both ways and compares the replies.
"""

from http import HTTPMethod

from starlette.types import ASGIApp, Receive, Scope, Send

from photofeed.tokens import USER
from serving.api.feed import FAILED, FEED_PATH, FIRST_PAGE_LENGTH, page_reply
from serving.services import Services

_DECIDING = frozenset({b"if-none-match", b"act-as", b"cookie"})
_AUTHORIZATION = b"authorization"
_SCHEME = "bearer"


class PlainFeed:
    """Answers plain feed requests, and passes the others on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on."""
        person = _person(scope)
        if person is None:
            await self._app(scope, receive, send)
            return
        services: Services = scope["state"]["services"]
        try:
            answer = page_reply(await services.feed.first_page(person, FIRST_PAGE_LENGTH))
        except Exception as error:  # noqa: BLE001  the route raises it, so that it is answered as all others are
            scope[FAILED] = error
            await self._app(scope, receive, send)
            return
        scope["route"] = _Route
        await answer(scope, receive, send)


class _Route:
    """What the metrics of requests read of a matched route."""

    path = FEED_PATH


def _person(scope: Scope) -> int | None:
    """Whose feed a plain request is for; None for all other requests."""
    if scope["type"] != "http" or scope["path"] != FEED_PATH or scope["query_string"]:
        return None
    if scope["method"] != HTTPMethod.GET:
        return None
    tokens = [value for name, value in scope["headers"] if name == _AUTHORIZATION]
    if len(tokens) != 1 or any(name in _DECIDING for name, _ in scope["headers"]):
        return None
    scheme, _, token = tokens[0].decode("latin-1").partition(" ")
    services: Services = scope["state"]["services"]
    caller = services.verifier.remembered(token.strip())
    if scheme.lower() != _SCHEME or caller is None or caller.is_service or USER not in caller.scopes:
        return None
    return caller.user_id or None
