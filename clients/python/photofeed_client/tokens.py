"""Bearer tokens, and their renewal when the server refuses one."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

import httpx

Renew = Callable[[], str]
AsyncRenew = Callable[[], Awaitable[str]]


class BearerAuth(httpx.Auth):
    """Sends a token. After a 401 it is renewed and the request sent again; requests that fail together renew it once.

    Args:
        token: the first token.
        renew: returns a new token; without it a 401 stands.
    """

    def __init__(self, token: str, renew: Renew | AsyncRenew | None = None) -> None:
        self.token = token
        self._renew = renew
        self._lock = threading.Lock()
        self._async_lock = asyncio.Lock()

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request, and send it again with a new token if it is refused."""
        sent = self._sign(request)
        reply = yield request
        if reply.status_code == httpx.codes.UNAUTHORIZED and self._renew is not None:
            with self._lock:
                if self.token == sent:
                    self.token = str(self._renew())
            self._sign(request)
            yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Send the request, and send it again with a new token if it is refused."""
        sent = self._sign(request)
        reply = yield request
        if reply.status_code == httpx.codes.UNAUTHORIZED and self._renew is not None:
            async with self._async_lock:
                if self.token == sent:
                    renewed = self._renew()
                    self.token = renewed if isinstance(renewed, str) else await renewed
            self._sign(request)
            yield request

    def _sign(self, request: httpx.Request) -> str:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return self.token
