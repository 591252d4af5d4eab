"""The CDN in front of the image origin: told to forget what must not be seen any more."""

from typing import Protocol

import httpx

from photofeed.errors import RetryableError
from photofeed.ids import encode_id
from photofeed.photo_sizes import PHOTO_PIXELS
from photofeed.settings import Settings

# Every address under which the origin delivers a photo.
_NAMES = tuple(f"{size}{ending}" for size in PHOTO_PIXELS for ending in ("", ".jpg", ".webp", ".avif"))
_SECONDS = 5.0


class PurgeCdn(Protocol):
    """Removes copies of photos from caches, and says what they still give out."""

    def purge(self, photo_id: int) -> None:
        """Forget every image of a photo; again is fine.

        Raises:
            RetryableError: the CDN did not confirm.
        """

    def copies(self, photo_id: int) -> list[str]:
        """Names of images of a photo that it still gives out.

        Raises:
            RetryableError: the CDN did not say.
        """

    def close(self) -> None:
        """Let go of connections."""


class NoCdn:
    """There is no CDN: nothing to forget."""

    def purge(self, photo_id: int) -> None:
        """Do nothing."""

    def copies(self, photo_id: int) -> list[str]:  # noqa: ARG002
        """None."""
        return []

    def close(self) -> None:
        """Do nothing."""


class HttpPurgeCdn:
    """Sends `PURGE <url>/photos/<id>/<name>` for every image, as Varnish, Fastly and nginx understand it."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def purge(self, photo_id: int) -> None:
        """Forget every image of a photo; what the cache does not have (404) is forgotten already."""
        for name in _NAMES:
            self._has("PURGE", photo_id, name)

    def copies(self, photo_id: int) -> list[str]:
        """Names of images it answers `HEAD` for: of a removed photo the origin answers none, so those are copies."""
        return [name for name in _NAMES if self._has("HEAD", photo_id, name)]

    def _has(self, method: str, photo_id: int, name: str) -> bool:
        """Whether the CDN did what is asked, or has nothing to do it with (404, 410)."""
        path = f"/photos/{encode_id(photo_id)}/{name}"
        try:
            reply = self._client.request(method, path)
        except httpx.HTTPError as error:
            raise RetryableError(f"the CDN cannot be reached: {error}") from error
        if reply.status_code in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
            return False
        if reply.is_error:
            raise RetryableError(f"the CDN did not answer {method} {path}: {reply.status_code}")
        return True

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def connect_cdn(settings: Settings) -> PurgeCdn:
    """The CDN of the settings, or none."""
    if settings.cdn_purge_url is None:
        return NoCdn()
    return HttpPurgeCdn(httpx.Client(base_url=settings.cdn_purge_url, timeout=_SECONDS))
