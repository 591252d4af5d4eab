"""How many requests each route got, and how long their replies took to begin.

A label is the template of a route, such as `/v1/posts/{post_id}`, never a path: paths have ids, and anybody can make up
others.
"""

import time
from functools import cache

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUESTS = Counter("photofeed_http_requests", "Replies by route and status", ["method", "route", "status"])
SECONDS = Histogram(
    "photofeed_http_request_seconds",
    "Time until a reply began, by route",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)
NO_ROUTE = "other"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestMetrics:
    """Counts and times requests. A stream of events counts until its first byte."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and observe the start of its reply."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def observing_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                method = scope["method"] if scope["method"] in _METHODS else NO_ROUTE
                route = getattr(scope.get("route"), "path", NO_ROUTE)
                _seconds(method, route).observe(time.perf_counter() - began)
                _requests(method, route, message["status"]).inc()
            await send(message)

        await self._app(scope, receive, observing_send)


@cache
def _seconds(method: str, route: str) -> Histogram:
    """Cached: prometheus_client looks labels up under a lock."""
    return SECONDS.labels(method, route)


@cache
def _requests(method: str, route: str, status: int) -> Counter:
    return REQUESTS.labels(method, route, str(status))
