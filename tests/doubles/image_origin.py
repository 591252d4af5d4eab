"""An image origin for caches: answers as serving/api/delivery.py does, and remembers what it was asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from photofeed.cache_control import IMMUTABLE
from photofeed.photo_sizes import IMAGE_NAMES
from tools.listening import running_handler


@dataclass
class ImageOrigin:
    """What it delivers and what it was asked.

    Attributes:
        photos: ids of photos that it has; every name of each is delivered.
        asked: method, path and `Accept` of each request for an image.
        status: of every answer about a photo; None for the right one.
        cache_control: of the images.
        surrogate_key: their tags, separated by spaces; none if empty.
    """

    port: int = 0
    photos: set[str] = field(default_factory=set)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    others: list[tuple[str, str]] = field(default_factory=list)
    status: int | None = None
    cache_control: str = IMMUTABLE
    surrogate_key: str = ""

    def answer(self, path: str, accept: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        _, _, photo, name = [*path.partition("?")[0].split("/"), "", ""][:4]
        if self.status or photo not in self.photos or name not in IMAGE_NAMES:
            return self.status or 404, {"Content-Type": "application/problem+json"}, b"{}"
        headers = {"Cache-Control": self.cache_control, "ETag": f'"{photo}-{name}"', "Content-Type": "image/jpeg"}
        headers["Accept-Ranges"] = "bytes"
        if self.surrogate_key:
            headers["Surrogate-Key"] = self.surrogate_key
        chosen = IMAGE_NAMES[name][1]
        if chosen is None:
            headers["Vary"] = "Accept"
            chosen = accept.partition(",")[0].removeprefix("image/")
        return 200, headers, f"{photo} {name} as {chosen}".encode()


@contextmanager
def running_image_origin() -> Iterator[ImageOrigin]:
    """An origin on 127.0.0.1 that answers while the context is open."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            accept = self.headers.get("Accept", "")
            if self.path.startswith("/photos/"):
                origin.asked.append((self.command, self.path, accept))
                status, headers, body = origin.answer(self.path, accept)
            else:
                if self.path != "/healthz":
                    origin.others.append((self.command, self.path))
                status, headers, body = (
                    200,
                    {"Cache-Control": "no-store"},
                    self.headers.get("Authorization", "").encode(),
                )
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body if self.command != "HEAD" else b"")

        do_HEAD = do_GET  # noqa: N815  the name that http.server calls

        def log_message(self, *_: object) -> None:
            """Tests print nothing."""

    with running_handler(Handler) as port:
        origin = ImageOrigin(port)
        yield origin
