"""The public keys of an identity provider, as its JWKS publishes them (RFC 7517)."""

import threading
import time
from collections.abc import Callable, Mapping

import jwt

from photofeed.errors import RetryableError, UnauthenticatedError

KEPT_SECONDS = 180.0  # after this the keys are fetched again: a key that was withdrawn is refused from then on
_ASK_AGAIN_SECONDS = 1.0  # at most one request per second for unknown keys, and after a failure
_TIMEOUT_SECONDS = 5.0
_AWAY = "The identity provider does not answer. Please try again in a moment."

Keys = Mapping[str, jwt.PyJWK]


class SigningKeys:
    """Fetches the keys when they are first needed, when they are older than KEPT_SECONDS, and for an unknown key.

    Threads may share it. A known key is found without waiting. For another one, one thread asks the provider while the
    others wait, and all of them go by its answer.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._provider = jwt.PyJWKClient(url, cache_keys=False, cache_jwk_set=False, timeout=_TIMEOUT_SECONDS)
        self._clock = clock
        self._lock = threading.Lock()
        self._published: tuple[Keys, float] = {}, float("-inf")  # and when they were fetched; replaced as a whole
        self._asked_at = float("-inf")  # when the provider last answered, or failed to
        self._failure: Exception | None = None  # of the last request

    def of(self, token: str) -> jwt.PyJWK:
        """The key that a token names.

        Raises:
            UnauthenticatedError: the provider publishes no such key.
            RetryableError: the provider does not answer, so its keys are unknown.
        """
        name = str(jwt.get_unverified_header(token).get("kid", ""))
        key = self._fresh().get(name)
        if key is not None:
            return key
        with self._lock:
            if name not in self._fresh() and self._clock() - self._asked_at >= _ASK_AGAIN_SECONDS:
                self._ask()
            key, failure = self._fresh().get(name), self._failure
        if key is not None:
            return key
        if failure is not None:
            raise RetryableError(_AWAY) from failure
        raise UnauthenticatedError("The token is not valid: it names no key of the identity provider.")

    def _fresh(self) -> Keys:
        """The keys; none if they are too old."""
        keys, fetched_at = self._published
        return keys if self._clock() - fetched_at < KEPT_SECONDS else {}

    def _ask(self) -> None:
        self._failure = None
        try:
            published = jwt.PyJWKSet.from_dict(self._provider.fetch_data())
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            self._failure = error
        else:
            keys = {key.key_id: key for key in published.keys if key.key_id and key.public_key_use in {"sig", None}}
            self._published = keys, self._clock()
        # after the answer: threads that waited for it must not ask again, one after the other
        self._asked_at = self._clock()
