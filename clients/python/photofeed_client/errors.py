"""Errors of the client.

PhotofeedClientError
├── ApiError            the API refused a call (RFC 9457 problem), or object storage refused the bytes of a photo
├── UnreachableError    no reply came, after all attempts
└── WatchEndedError     a photo was deleted, or its processing did not end in time
"""

from typing import Self

import httpx


class PhotofeedClientError(Exception):
    """Base of the client's errors; each message is one line."""


class ApiError(PhotofeedClientError):
    """A refused call.

    Attributes:
        status: the HTTP status.
        code: the stable code of the problem; `http_error` if the reply is no problem.
        detail: a sentence for people.
        request_id: names the call in the server's log; None if the server sent none.
    """

    def __init__(self, message: str, *, status: int, code: str, detail: str, request_id: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.detail = detail
        self.request_id = request_id

    @classmethod
    def of(cls, reply: httpx.Response) -> Self:
        """The error in a reply that was read."""
        is_json = "json" in reply.headers.get("Content-Type", "")
        problem = reply.json() if is_json else {}
        code = str(problem.get("code", "http_error"))
        detail = str(problem.get("detail") or problem.get("title") or reply.text[:200])
        request = f"{reply.request.method} {reply.request.url.path}"
        return cls(
            f"{request}: {reply.status_code} {code}: {detail}",
            status=reply.status_code,
            code=code,
            detail=detail,
            request_id=reply.headers.get("X-Request-Id"),
        )


class UnreachableError(PhotofeedClientError):
    """The API or object storage did not answer."""

    @classmethod
    def of(cls, error: httpx.TransportError) -> Self:
        """The error for the last failed attempt."""
        request = error.request
        return cls(f"{request.method} {request.url.path}: {error or type(error).__name__}")


class WatchEndedError(PhotofeedClientError):
    """A photo has no final state: it was deleted, or its processing takes longer than the client waits."""
