"""Addresses of images. Those of private accounts are signed for one viewer and one photo, and valid for a day.

A signature is the viewer, an expiry and a seal by BLAKE2b (RFC 7693) with the key of cursors. It says who was shown the
photo; whether that person may still see it is checked whenever the image is requested from the origin.
"""

import hmac
import struct
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

from photofeed.errors import ForbiddenError
from photofeed.ids import encode_id
from photofeed.settings import Settings

VALID_SECONDS = 24 * 3600
# Expiries are whole hours, so that the address of an image stays the same for an hour and its reader's cache has it.
_STEP_SECONDS = 3600
SIGNATURE = "s"
SIGNATURE_LENGTH = 38
_SEAL_BYTES = 16
_CLAIMS = struct.Struct("<Iq")  # expiry in seconds since 1970, viewer
_PURPOSE = b"image"  # no seal of a cursor or a receipt is one of an image

Size = tuple[int, int, int]
"""Name, width and height of an image, in pixels; the name is the long edge."""


class ImageAddresses:
    """Makes addresses of images, and checks their signatures."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.public_url = settings.public_url
        self._clock = clock
        # a BLAKE2b key has at most 64 bytes, a secret any number
        key = blake2b(settings.cursor_secret.get_secret_value().encode()).digest()
        self._keyed = blake2b(digest_size=_SEAL_BYTES, key=key, person=_PURPOSE)

    def of(self, photo: int, sizes: Iterable[Size], *, viewer: int, is_private: bool) -> dict[str, dict[str, Any]]:
        """A photo's images by size, for a viewer. The client's `Accept` header decides the format."""
        query = f"?{SIGNATURE}={self.sign(photo, viewer)}" if is_private else ""
        prefix = f"{self.public_url}/photos/{encode_id(photo)}/"
        return {
            str(size): {"url": f"{prefix}{size}{query}", "width": width, "height": height}
            for size, width, height in sorted(sizes)
        }

    def sign(self, photo: int, viewer: int) -> str:
        """The signature of a photo's addresses for a viewer; valid for 23 to 24 hours."""
        now = int(self._clock())
        claims = _CLAIMS.pack(now - now % _STEP_SECONDS + VALID_SECONDS, viewer)
        return _text(claims + self._seal(photo, claims))

    def read(self, photo: int, signature: str) -> int:
        """The viewer for whom a photo's address was signed.

        Raises:
            ForbiddenError: the signature is forged, expired, or of another photo.
        """
        try:
            sealed = urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        except ValueError:  # binascii.Error, or text that is not ASCII
            sealed = b""
        claims, seal = sealed[: _CLAIMS.size], sealed[_CLAIMS.size :]
        # compared as text too: base64 has several spellings of one value, and each would be an object of its own
        if not hmac.compare_digest(seal, self._seal(photo, claims)) or _text(sealed) != signature:
            raise ForbiddenError("This address is not valid.", code="image_address_invalid")
        expires, viewer = _CLAIMS.unpack(claims)
        if self._clock() >= expires:
            raise ForbiddenError("This address has expired. Please load the post again.", code="image_address_expired")
        return int(viewer)

    def _seal(self, photo: int, claims: bytes) -> bytes:
        seal = self._keyed.copy()
        seal.update(struct.pack("<q", photo) + claims)
        return seal.digest()


def _text(sealed: bytes) -> str:
    return urlsafe_b64encode(sealed).rstrip(b"=").decode()
