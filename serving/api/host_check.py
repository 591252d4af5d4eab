"""The Host check: a page of another site must not reach this API under that site's name (DNS rebinding)."""

from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.api.problems import problem

# Probes and scrapers address a process by its IP address, and CDNs ask for images under names of their own. None of
# these paths needs a token or changes anything.
_ANY_HOST = frozenset({"/healthz", "/readyz", "/metrics"})
_IMAGES = "/photos/"


class HostCheck:
    """Answers 421 to requests for another host than `hosts`; `*` among them allows all."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or _is_for_any_host(scope["path"]) or self._is_ours(scope):
            await self._app(scope, receive, send)
            return
        refused = problem(
            HTTPStatus.MISDIRECTED_REQUEST,
            "unknown_host",
            "This server does not answer for this host: see PHOTOFEED_ALLOWED_HOSTS.",
        )
        await refused(scope, receive, send)

    def _is_ours(self, scope: Scope) -> bool:
        """Whether every Host header names one of the hosts. Without one, no browser sent the request."""
        named = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        return "*" in self._hosts or all(_without_port(host) in self._hosts for host in named)


def _is_for_any_host(path: str) -> bool:
    return path in _ANY_HOST or path.startswith(_IMAGES)


def _without_port(host: str) -> str:
    name, colon, port = host.strip().lower().rpartition(":")
    is_port = bool(colon) and port.isdigit() and (":" not in name or name.endswith("]"))
    return (name if is_port else host.strip().lower()).rstrip(".").strip("[]")
