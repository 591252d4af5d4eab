"""Limits on request bodies. Photos go directly to object storage, so all bodies here are small and arrive soon."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.problems import BodyTooLargeError, BodyTooSlowError, body_refused

_MOST_DIGITS = 18  # of a length; one with more is over every limit


class BodyLimit:
    """Answers 413 to a body whose length, as announced or as read, is over `max_bytes`, and 408 to one that is slow."""

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and (len(announced) > _MOST_DIGITS or int(announced) > self._max_bytes):
            await body_refused(BodyTooLargeError(self._max_bytes))(scope, receive, send)
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
