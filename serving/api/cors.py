"""CORS: which web apps of other origins may call the API, and which headers they may send and read."""

from typing import Any

from serving.api.idempotency import HEADER, REPLAYED
from serving.api.request_context import REQUEST_ID
from serving.rate_limits import RATE_LIMIT_HEADERS

_PREFLIGHT_SECONDS = 600


def cors_options(origins: tuple[str, ...]) -> dict[str, Any]:
    """The options of Starlette's CORSMiddleware. Other origins send bearer tokens, never the session cookie.

    So credentials are not allowed, and neither is the header that requests with the cookie need (session_cookies.py).
    """
    return {
        "allow_origins": origins,
        "allow_methods": ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
        "allow_headers": (
            "Authorization",
            "Content-Type",
            "Act-As",
            "If-None-Match",
            "Last-Event-ID",
            HEADER,
            REQUEST_ID,
        ),
        "expose_headers": ("ETag", "Retry-After", "WWW-Authenticate", REPLAYED, REQUEST_ID, *RATE_LIMIT_HEADERS),
        "max_age": _PREFLIGHT_SECONDS,
    }
