"""Retries: which requests are sent again, and after what pause. Every POST gets an `Idempotency-Key`."""

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

IDEMPOTENCY_KEY = "Idempotency-Key"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to send a request again. A repeated request is done once: PUTs by nature, POSTs by their key.

    Attributes:
        attempts: most times that a request is sent.
        first_pause_seconds: before the second attempt; each further pause is twice as long, at random up to that.
        longest_wait_seconds: a server that asks to wait longer by `Retry-After` is not asked again.
        statuses: of replies after which the request is sent again.
    """

    attempts: int = 5
    first_pause_seconds: float = 0.2
    longest_wait_seconds: float = 30.0
    statuses: frozenset[int] = frozenset({429, 502, 503, 504})

    def after_error(self, error: httpx.TransportError, attempt: int) -> float | None:
        """Seconds to wait after an attempt, counted from 1, had no reply; None to give up.

        A server that is too slow to answer is not asked again.
        """
        is_slow = isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout)
        return None if is_slow or attempt >= self.attempts else self._pause(attempt)

    def after_reply(self, reply: httpx.Response, attempt: int) -> float | None:
        """Seconds to wait after a reply; None if the reply stands."""
        if reply.status_code not in self.statuses or attempt >= self.attempts:
            return None
        asked = retry_after_seconds(reply)
        if asked is None:
            return self._pause(attempt)
        return None if asked > self.longest_wait_seconds else max(asked, self._pause(attempt))

    def _pause(self, attempt: int) -> float:
        longest = self.first_pause_seconds * 2.0 ** (attempt - 1)
        return longest * random.uniform(0.5, 1)


def retry_after_seconds(reply: httpx.Response) -> float | None:
    """The seconds of `Retry-After`, which may be a date (RFC 9110, section 10.2.3); None without a valid one."""
    text = reply.headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # no date, or one without a time zone
        return None


class RetryingTransport(httpx.BaseTransport):
    """Sends requests through another transport, again where the policy says so."""

    def __init__(
        self, inner: httpx.BaseTransport, policy: RetryPolicy, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._inner = inner
        self._policy = policy
        self._sleep = sleep

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The reply to the last attempt.

        Raises:
            httpx.TransportError: the last attempt had no reply.
        """
        _add_key(request)
        attempt = 0
        while True:
            attempt += 1
            try:
                reply = self._inner.handle_request(request)
            except httpx.TransportError as error:
                pause = self._policy.after_error(error, attempt)
                if pause is None:
                    raise
            else:
                pause = self._policy.after_reply(reply, attempt)
                if pause is None:
                    return reply
                reply.close()
            self._sleep(pause)

    def close(self) -> None:
        """Close the other transport."""
        self._inner.close()


class AsyncRetryingTransport(httpx.AsyncBaseTransport):
    """The same for asyncio."""

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        policy: RetryPolicy,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._inner = inner
        self._policy = policy
        self._sleep = sleep

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The reply to the last attempt.

        Raises:
            httpx.TransportError: the last attempt had no reply.
        """
        _add_key(request)
        attempt = 0
        while True:
            attempt += 1
            try:
                reply = await self._inner.handle_async_request(request)
            except httpx.TransportError as error:
                pause = self._policy.after_error(error, attempt)
                if pause is None:
                    raise
            else:
                pause = self._policy.after_reply(reply, attempt)
                if pause is None:
                    return reply
                await reply.aclose()
            await self._sleep(pause)

    async def aclose(self) -> None:
        """Close the other transport."""
        await self._inner.aclose()


def _add_key(request: httpx.Request) -> None:
    """Events have ids of their own, so a batch needs no key."""
    if request.method == "POST" and not request.url.path.endswith("/v1/events"):
        request.headers.setdefault(IDEMPOTENCY_KEY, str(uuid.uuid4()))
