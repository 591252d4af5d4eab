"""Headers that tell browsers what a page may do. No page has scripts or styles inside it, so none are allowed."""

from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from photofeed.object_store import bucket_address
from photofeed.settings import Settings

_HTML = b"text/html"
_YEAR_SECONDS = 365 * 86_400
_DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"


def page_policy(settings: Settings) -> str:
    """The Content-Security-Policy of pages: code, styles and calls of this origin; uploads to the object storage.

    Images are of the public address. `data:` is for the small pictures in style sheets, `blob:` for photos that are
    about to be uploaded.
    """
    storage, public = _origin(bucket_address(settings, settings.bucket_originals)), _origin(settings.public_url)
    directives = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": f"'self' {public} data: blob:",
        "font-src": "'self'",
        "connect-src": f"'self' {storage}",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


class SecurityHeaders:
    """Adds the headers to every reply: pages get the policy of pages, other replies may load nothing.

    304 has no policy: browsers put its headers in place of those of the page that they keep.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        common = {
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "strict-origin-when-cross-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        }
        if settings.public_url.startswith("https://"):
            common["Strict-Transport-Security"] = f"max-age={_YEAR_SECONDS}"
        self._of_unchanged = _encoded(common)
        self._of_pages = _encoded(common | {"Content-Security-Policy": page_policy(settings)})
        self._of_data = _encoded(common | {"Content-Security-Policy": _DATA_POLICY})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarding_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers_of(message)]
            await send(message)

        await self._app(scope, receive, guarding_send)

    def _headers_of(self, start: Message) -> list[tuple[bytes, bytes]]:
        if start["status"] == HTTPStatus.NOT_MODIFIED:
            return self._of_unchanged
        for name, value in start["headers"]:
            if name.lower() == b"content-type":
                return self._of_pages if value.startswith(_HTML) else self._of_data
        return self._of_data


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
