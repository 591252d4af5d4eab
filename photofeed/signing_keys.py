"""The public keys of an identity provider, as its JWKS publishes them (RFC 7517)."""

import threading
import time
from collections.abc import Callable

import jwt

from photofeed.errors import RetryableError, UnauthenticatedError

KEPT_SECONDS = 180.0  # after this the keys are fetched again: a key that was withdrawn is refused from then on
_ASK_AGAIN_SECONDS = 1.0  # at most one request per second for unknown keys, and after a failure
_TIMEOUT_SECONDS = 5.0


class SigningKeys:
    """Fetches the keys when they are first needed, when they are older than KEPT_SECONDS, and for an unknown key.

    Threads may share it. One of them fetches while the others wait.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._provider = jwt.PyJWKClient(url, cache_keys=False, cache_jwk_set=False, timeout=_TIMEOUT_SECONDS)
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = self._asked_at = float("-inf")

    def of(self, token: str) -> jwt.PyJWK:
        """The key that a token names.

        Raises:
            UnauthenticatedError: the provider publishes no such key.
            RetryableError: the provider does not answer, so its keys are unknown.
        """
        name = str(jwt.get_unverified_header(token).get("kid", ""))
        with self._lock:
            if self._clock() - self._fetched_at >= KEPT_SECONDS:
                self._keys = {}
                self._fetch()
            if name not in self._keys and self._may_ask():
                self._fetch()
            if name in self._keys:
                return self._keys[name]
        raise UnauthenticatedError("The token is not valid: it names no key of the identity provider.")

    def _may_ask(self) -> bool:
        return self._clock() - self._asked_at >= _ASK_AGAIN_SECONDS

    def _fetch(self) -> None:
        if not self._may_ask():
            raise RetryableError(_AWAY)
        self._asked_at = self._clock()
        try:
            published = jwt.PyJWKSet.from_dict(self._provider.fetch_data())
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            raise RetryableError(_AWAY) from error
        self._keys = {key.key_id: key for key in published.keys if key.key_id and key.public_key_use in {"sig", None}}
        self._fetched_at = self._clock()


_AWAY = "The identity provider does not answer. Please try again in a moment."
