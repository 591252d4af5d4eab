"""A span for each request. The application has this layer only while traces are on."""

from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from photofeed.settings import Settings
from photofeed.tracing import TRACEPARENT_HEADER, current_spans
from serving.api.rate_limit import UNLIMITED

_SERVER_ERROR = 500


class RequestTraces:
    """Continues the trace of the caller, or begins one for a share of the requests.

    Only a trusted proxy or a caller on this machine may continue a trace: any other client could have all of its
    requests traced. Probes and metrics are not traced.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._trusted = settings.trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on inside its span."""
        spans = current_spans()
        if scope["type"] != "http" or scope["path"] in UNLIMITED or spans is None:
            await self._app(scope, receive, send)
            return
        parent = Headers(scope=scope).get(TRACEPARENT_HEADER) if self._trusts(scope) else None
        with spans.request(scope["method"], parent) as span:

            async def naming_send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status, route = message["status"], getattr(scope.get("route"), "path", None)
                    span.set_attribute("http.response.status_code", status)
                    if route is not None:
                        span.update_name(f"{scope['method']} {route}")
                        span.set_attribute("http.route", route)
                    if status >= _SERVER_ERROR:
                        spans.fail(span, str(status))
                await send(message)

            await self._app(scope, receive, naming_send)

    def _trusts(self, scope: Scope) -> bool:
        try:
            peer = ip_address((scope.get("client") or ("",))[0])
        except ValueError:
            return False
        return any(peer in network for network in self._trusted)
