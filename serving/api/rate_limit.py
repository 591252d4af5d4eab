"""Applies rate limits to requests: by person, if the token is known, and by address."""

import re
from functools import lru_cache
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from photofeed.settings import Settings
from serving.api.problems import problem
from serving.rate_limits import REFUSED, RateLimiter, RouteClass, Standing, headers_of
from serving.services import Services
from serving.session_cookies import SESSION, read_cookie, remembered_as

UNLIMITED = frozenset({"/healthz", "/readyz", "/metrics"})
_UPLOADS = re.compile(r"/v1/photos/(initiate|[^/]+/complete)")
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::[0-9]*)?|([^:]*):[0-9]*")
_LONGEST_NAME = 64
_SEARCH = re.compile(r"/v1/(search|tags|people)")
_REMEMBERED_ADDRESSES = 4096


def route_class(method: str, path: str) -> RouteClass:
    """The class of a request."""
    if path.startswith("/photos/"):
        return RouteClass.IMAGES
    if path == "/v1/events":
        return RouteClass.EVENTS
    if _UPLOADS.fullmatch(path):
        return RouteClass.UPLOADS
    if _SEARCH.fullmatch(path):
        return RouteClass.SEARCH
    return RouteClass.READS if method in {"GET", "HEAD", "OPTIONS"} else RouteClass.WRITES


class _Address(NamedTuple):
    """What an address is counted as, and whether it is that of a trusted proxy."""

    network: str
    is_proxy: bool


class RateLimits:
    """Answers 429 to requests over a limit, and tells in every reply how many are left.

    Services are not limited: they call for many people. A token or cookie that this process has not checked yet
    counts as a sign-in of its address.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._share = settings.rate_address_people
        self._proxies = settings.trusted_proxies
        self._named = lru_cache(maxsize=_REMEMBERED_ADDRESSES)(self._read)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in UNLIMITED:
            await self._app(scope, receive, send)
            return
        standing = self._standing(scope)
        if standing is None:
            await self._app(scope, receive, send)
            return
        headers = headers_of(standing)
        if not standing.admitted:
            detail = f"Too many calls. Please try again in {standing.retry_after} s."
            refused = problem(HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", detail, instance=scope["path"])
            refused.headers.update(headers)
            await refused(scope, receive, send)
            return

        async def telling_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
                message["headers"] = [*message["headers"], *told]
            await send(message)

        await self._app(scope, receive, telling_send)

    def _standing(self, scope: Scope) -> Standing | None:
        """The tightest standing of the caller; None for a service."""
        services: Services = scope["state"]["services"]
        headers, limiter = Headers(scope=scope), services.rate_limiter
        token = headers.get("authorization", "").partition(" ")[2].strip() or self._session(headers)
        caller = services.verifier.remembered(token) if token else None
        if caller is not None and caller.is_service:
            return None
        kind, address = route_class(scope["method"], scope["path"]), self._address(scope, headers)
        if caller is None and token:
            signing_in = _counted(limiter, RouteClass.SIGN_IN, address, "address")
            if not signing_in.admitted:
                return signing_in
        factor = 1 if kind is RouteClass.IMAGES else self._share
        of_address = _counted(limiter, kind, address, "address", factor)
        if caller is None or not of_address.admitted:
            return of_address
        of_person = _counted(limiter, kind, str(caller.user_id), "person")
        return min(of_person, of_address, key=lambda one: one.remaining)

    def _session(self, headers: Headers) -> str:
        """What the verifier remembers the session cookie as; empty without one."""
        secret = read_cookie(self._settings, headers, SESSION)
        return remembered_as(secret) if secret else ""

    def _address(self, scope: Scope, headers: Headers) -> str:
        """The client's address: the last one that no trusted proxy has, of those that proxies forwarded."""
        address = self._named((scope.get("client") or ("",))[0])
        if not address.is_proxy:
            return address.network
        # some proxies add a header of their own after the one that the client sent
        forwarded = [one for value in headers.getlist("x-forwarded-for") for one in value.split(",") if one.strip()]
        while forwarded and address.is_proxy:
            address = self._named(forwarded.pop())
        return address.network

    def _read(self, text: str) -> _Address:
        address = _parsed(text)
        is_proxy = not isinstance(address, str) and any(address in network for network in self._proxies)
        return _Address(_network_of(address), is_proxy)


def _counted(limiter: RateLimiter, kind: RouteClass, caller: str, by: str, factor: int = 1) -> Standing:
    standing = limiter.admit(kind, f"{by}:{caller}", factor)
    if not standing.admitted:
        REFUSED.labels(kind, by).inc()
    return standing


def _parsed(address: str) -> IPv4Address | IPv6Address | str:
    """An address without the port that some proxies add, and as IPv4 if IPv6 only wraps it; text that is none as it is.

    Each spelling would be counted apart, and a client may choose its port.
    """
    host = address.strip()
    with_port = _WITH_PORT.fullmatch(host)
    if with_port:
        host = with_port[1] or with_port[2]
    try:
        ip = ip_address(host.partition("%")[0])  # without the zone of a local address
    except ValueError:
        return host[:_LONGEST_NAME]
    return getattr(ip, "ipv4_mapped", None) or ip


def _network_of(address: IPv4Address | IPv6Address | str) -> str:
    """What is counted as one address: of IPv6 a /64, which a single customer has."""
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address) >> 64 << 64, 64)))
    return str(address)
