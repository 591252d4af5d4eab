"""The cookies of the browser app, and which requests they count for.

A browser sends its cookies with requests that other sites make. So a cookie counts only for requests of the app itself:
`Sec-Fetch-Site` and `Origin`, where the browser sends them, must name this origin, and requests that change something
carry the header APP_HEADER, which other origins may not send (cors.py does not allow it).
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response

from photofeed.errors import ForbiddenError
from photofeed.settings import Settings

APP_HEADER = "X-Photofeed-App"
SESSION, SIGN_IN = "photofeed-session", "photofeed-sign-in"
HOST_PREFIX = "__Host-"  # browsers then refuse such a cookie from a subdomain or without Secure
SIGN_IN_SECONDS = 600
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({"same-origin", "none"})  # "none": the address bar


def cookie_name(settings: Settings, name: str) -> str:
    """The name of a cookie; over plain HTTP, which only this machine uses, it cannot have the prefix."""
    return f"{HOST_PREFIX}{name}" if settings.secure_cookies else name


def read_cookie(settings: Settings, headers: Headers, name: str) -> str | None:
    """The value of a cookie; None without one."""
    value = cookie_parser(headers.get("cookie", "")).get(cookie_name(settings, name))
    return value or None


def remembered_as(secret: str) -> str:
    """The key under which the verifier remembers a session: no bearer token has a line break."""
    return f"session\n{secret}"


def set_cookie(settings: Settings, reply: Response, name: str, value: str, seconds: int) -> None:
    """Give the browser a cookie that scripts cannot read and that other sites' forms do not carry."""
    reply.set_cookie(cookie_name(settings, name), value, max_age=seconds, **_attributes(settings))


def remove_cookie(settings: Settings, reply: Response, name: str) -> None:
    """Take a cookie back."""
    reply.delete_cookie(cookie_name(settings, name), **_attributes(settings))


def require_own_origin(settings: Settings, method: str, headers: Headers) -> None:
    """Refuse a request with a cookie that the app itself did not make.

    Raises:
        ForbiddenError: it is of another origin, or changes something without the header of the app.
    """
    if headers.get("sec-fetch-site", "none") not in _OWN_SITES or not _is_own(settings, headers):
        raise ForbiddenError("Another site made this request.", code="cross_origin")
    if method not in _SAFE_METHODS and not headers.get(APP_HEADER):
        raise ForbiddenError(f"Requests with a session cookie need the header {APP_HEADER}.", code="cross_origin")


def _is_own(settings: Settings, headers: Headers) -> bool:
    origin = headers.get("origin")
    if origin is None:
        return True
    return origin == settings.upload_origins[0] or urlsplit(origin).netloc == headers.get("host")


def _attributes(settings: Settings) -> Mapping[str, Any]:
    return {"path": "/", "secure": settings.secure_cookies, "httponly": True, "samesite": "lax"}
