"""Which request bodies are read. Photos go directly to object storage, so all bodies here are small and arrive soon."""

import asyncio
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.problems import BodyEncodedError, BodyTooLargeError, BodyTooSlowError, body_refused

_MOST_DIGITS = 18  # of a length; one with more is over every limit


class BodyLimit:
    """Answers 413 to a body of more than `max_bytes`, announced or read; 408 to a slow and 415 to a compressed one."""

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = self._refused(dict(scope["headers"]))
        if refused is not None:
            await body_refused(refused)(scope, receive, send)
            return
        received_bytes, started, is_whole = 0, False, False
        until = asyncio.get_running_loop().time() + self._seconds

        async def counting_receive() -> Message:
            nonlocal received_bytes, is_whole
            if is_whole:
                return await receive()  # which waits until the client leaves
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise BodyTooSlowError from None  # FastAPI passes it on: it is an HTTPException
            received_bytes += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if received_bytes > self._max_bytes:
                raise BodyTooLargeError(self._max_bytes)
            return message

        async def noting_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, counting_receive, noting_send)
        except (BodyTooLargeError, BodyTooSlowError) as error:
            if not started:
                await body_refused(error)(scope, receive, send)

    def _refused(self, headers: Mapping[bytes, bytes]) -> BodyTooLargeError | BodyEncodedError | None:
        """Why a body is not read, as far as its headers tell."""
        if headers.get(b"content-encoding", b"identity").strip().lower() not in (b"", b"identity"):
            return BodyEncodedError()
        announced = headers.get(b"content-length", b"0")
        is_large = announced.isdigit() and (len(announced) > _MOST_DIGITS or int(announced) > self._max_bytes)
        return BodyTooLargeError(self._max_bytes) if is_large else None
