"""The CDN in front of the image origin: purges removed photos."""

from collections.abc import Mapping
from typing import Protocol

import httpx

from photofeed.errors import RetryableError
from photofeed.ids import encode_id
from photofeed.photo_sizes import IMAGE_NAMES
from photofeed.settings import Settings

_SECONDS = 5.0


class PurgeCdn(Protocol):
    """Purges photos from caches, and finds copies that they still serve."""

    def purge(self, photo_id: int) -> None:
        """Remove every image of a photo. May be repeated.

        Raises:
            RetryableError: the CDN did not confirm.
        """

    def purge_tag(self, tag: str) -> None:
        """Remove every image that was delivered with this tag in its header Surrogate-Key. May be repeated.

        Raises:
            RetryableError: the CDN did not confirm.
        """

    def copies(self, photo_id: int) -> list[str]:
        """Names of images of a photo that are still served.

        Raises:
            RetryableError: the CDN did not answer.
        """

    def close(self) -> None:
        """Close the connections."""


class NoCdn:
    """There is no CDN, so there is nothing to purge."""

    def purge(self, photo_id: int) -> None:
        """Do nothing."""

    def purge_tag(self, tag: str) -> None:
        """Do nothing."""

    def copies(self, photo_id: int) -> list[str]:  # noqa: ARG002
        """None."""
        return []

    def close(self) -> None:
        """Do nothing."""


class HttpPurgeCdn:
    """Sends `PURGE <url>/photos/<id>/<name>` for every image, which Varnish, Fastly and nginx support."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def purge(self, photo_id: int) -> None:
        """Remove every image of a photo. An image that the cache does not have (404) counts as removed."""
        for name in IMAGE_NAMES:
            self._has("PURGE", photo_id, name)
        self.purge_tag(f"photo-{encode_id(photo_id)}")  # addresses that were signed for viewers

    def purge_tag(self, tag: str) -> None:
        """Send `PURGE /photos/` with the tag in the header Surrogate-Key, as deploy/edge/varnish.vcl takes it."""
        self._request("PURGE", "/photos/", {"Surrogate-Key": tag})

    def copies(self, photo_id: int) -> list[str]:
        """Names of images for which `HEAD` succeeds: the origin has none of a removed photo, so these are copies."""
        return [name for name in IMAGE_NAMES if self._has("HEAD", photo_id, name)]

    def _has(self, method: str, photo_id: int, name: str) -> bool:
        """Whether the request succeeded; False if the CDN does not have the image (404, 410)."""
        return self._request(method, f"/photos/{encode_id(photo_id)}/{name}", {})

    def _request(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        """Whether the request succeeded; False if the CDN has nothing there (404, 410)."""
        try:
            reply = self._client.request(method, path, headers=headers)
        except httpx.HTTPError as error:
            raise RetryableError(f"the CDN cannot be reached: {error}") from error
        if reply.status_code in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
            return False
        if reply.is_error:
            raise RetryableError(f"the CDN answered {method} {path} with {reply.status_code}")
        return True

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def connect_cdn(settings: Settings) -> PurgeCdn:
    """The CDN of the settings, or none."""
    if settings.cdn_purge_url is None:
        return NoCdn()
    return HttpPurgeCdn(httpx.Client(base_url=settings.cdn_purge_url, timeout=_SECONDS))
