"""How many requests a process works on at once. More are refused, so that those that are taken stay fast (ADR 63).

Requests that wait for the event log have a lane of their own: a log that does not answer must not refuse feeds. A
request counts until its reply begins, except while its body arrives: neither slow clients nor streams fill a lane.
"""

from http import HTTPStatus

from prometheus_client import Counter, Gauge
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.problems import problem
from serving.api.rate_limit import UNLIMITED, route_class
from serving.rate_limits import RouteClass

IN_PROGRESS = Gauge(
    "photofeed_http_requests_in_progress", "Requests that are worked on, by lane", ["lane"], multiprocess_mode="livesum"
)
REFUSED = Counter("photofeed_http_requests_refused", "Requests refused because a lane was full", ["lane"])
EVENTS, OTHERS = "events", "others"
_DETAIL = "The server has too much to do. Please try again in a moment."


class _Lane:
    """Requests that share a limit."""

    def __init__(self, name: str) -> None:
        self.count = 0
        self._in_progress, self._refused = IN_PROGRESS.labels(name), REFUSED.labels(name)

    def enter(self) -> None:
        self.count += 1
        self._in_progress.set(self.count)

    def leave(self) -> None:
        self.count -= 1
        self._in_progress.set(self.count)

    def refuse(self) -> None:
        self._refused.inc()


class _Stay:
    """A request in a lane. It may leave more than once."""

    def __init__(self, lane: _Lane) -> None:
        self._lane, self._is_inside = lane, True
        lane.enter()

    def leave(self) -> bool:
        """Leave the lane; whether the request was in it."""
        was_inside, self._is_inside = self._is_inside, False
        if was_inside:
            self._lane.leave()
        return was_inside

    def come_back(self) -> None:
        """Come back, even if the lane is full by now."""
        self._is_inside = True
        self._lane.enter()


class Admission:
    """Answers 503 to requests that find `most` others in their lane. Probes and metrics are always answered."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._lanes = {name: _Lane(name) for name in (EVENTS, OTHERS)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in UNLIMITED:
            await self._app(scope, receive, send)
            return
        is_event = route_class(scope["method"], scope["path"]) is RouteClass.EVENTS
        lane = self._lanes[EVENTS if is_event else OTHERS]
        if lane.count >= self._most:
            lane.refuse()
            await problem(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", _DETAIL)(scope, receive, send)
            return
        stay = _Stay(lane)

        async def receive_outside() -> Message:
            was_inside = stay.leave()
            try:
                return await receive()
            finally:
                if was_inside:
                    stay.come_back()

        async def leaving_send(message: Message) -> None:
            stay.leave()
            await send(message)

        try:
            await self._app(scope, receive_outside, leaving_send)
        finally:
            stay.leave()
