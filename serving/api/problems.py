"""Errors as RFC 9457 problem details: each has a stable type and code, a title, and a sentence for people."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from psycopg import Error as DatabaseError
from psycopg.errors import ForeignKeyViolation
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from photofeed.byte_sizes import human_size
from photofeed.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    PhotofeedError,
    QuotaError,
    RetryableError,
    UnauthenticatedError,
    UnavailableError,
)
from photofeed.unavailable import is_unavailable
from serving.api.status_names import status_name
from serving.api.validation_words import words_for
from serving.reads import UNAVAILABLE

log = structlog.get_logger(__name__)

STATUS_OF: dict[type[PhotofeedError], HTTPStatus] = {
    UnauthenticatedError: HTTPStatus.UNAUTHORIZED,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    NotFoundError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.CONFLICT,
    InvalidError: HTTPStatus.UNPROCESSABLE_ENTITY,
    QuotaError: HTTPStatus.TOO_MANY_REQUESTS,
    RetryableError: HTTPStatus.SERVICE_UNAVAILABLE,
}
_HEADERS: dict[HTTPStatus, dict[str, str]] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "1"},
}
_MAX_FIELD_ERRORS = 20
_UNREADABLE: dict[type[Exception], str] = {
    RecursionError: "The body is nested too deeply.",
    UnicodeDecodeError: "The body is not UTF-8.",
    ValueError: "A number in the body has too many digits.",
}


class BodyTooLargeError(HTTPException):
    """The body is larger than the API reads."""

    def __init__(self, max_bytes: int) -> None:
        detail = f"The body may have at most {human_size(max_bytes)}."
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE.value, detail)


class BodyTooSlowError(HTTPException):
    """The body did not arrive in time."""

    def __init__(self) -> None:
        super().__init__(HTTPStatus.REQUEST_TIMEOUT.value, "The body did not arrive in time.")


class BodyEncodedError(HTTPException):
    """The body is compressed, which the API does not read."""

    def __init__(self) -> None:
        detail = "The body must not be compressed: send it without the header Content-Encoding."
        super().__init__(HTTPStatus.UNSUPPORTED_MEDIA_TYPE.value, detail, {"Accept-Encoding": "identity"})


def body_refused(error: BodyTooLargeError | BodyTooSlowError | BodyEncodedError) -> Response:
    """The reply to a body that is not read. The connection is closed, because the rest of the body may still arrive."""
    codes: dict[type[HTTPException], str] = {
        BodyTooLargeError: "body_too_large",
        BodyTooSlowError: "request_timeout",
        BodyEncodedError: "unsupported_media_type",
    }
    reply = problem(HTTPStatus(error.status_code), codes[type(error)], error.detail)
    reply.headers.update(error.headers or {})
    reply.headers["Connection"] = "close"
    return reply


def problem(
    status: HTTPStatus, code: str, detail: str, *, extra: Mapping[str, Any] | None = None, instance: str = ""
) -> Response:
    """A problem reply. `type` is a URN of the code, whose meaning is stable."""
    body = {
        "type": f"urn:photofeed:problem:{code}",
        "title": status_name(status),
        "status": status.value,
        "detail": detail,
        "code": code,
        **({"instance": instance} if instance else {}),
        **(extra or {}),
    }
    return Response(
        orjson.dumps(body), status.value, headers=_HEADERS.get(status), media_type="application/problem+json"
    )


def install_problem_handlers(app: FastAPI, allow: Callable[[str], Mapping[str, str]]) -> None:
    """Answer every error with a problem; request_context.py answers those that nobody expects.

    Args:
        app: the application.
        allow: the header Allow of a path, for a method that the path does not have.
    """

    async def http_error(request: Request, error: Exception) -> Response:
        found = error if isinstance(error, HTTPException) else HTTPException(HTTPStatus.INTERNAL_SERVER_ERROR.value)
        reply = _http_problem(request, found)
        if found.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            reply.headers.update(allow(request.url.path))
        return reply

    app.add_exception_handler(PhotofeedError, _own_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, http_error)
    for kind in (UnavailableError, DatabaseError, RedisError):
        app.add_exception_handler(kind, _dependency_error)
    app.add_exception_handler(ForeignKeyViolation, _deleted_error)


async def _own_error(request: Request, error: Exception) -> Response:
    status = next(
        (status for kind, status in STATUS_OF.items() if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR
    )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request failed", path=request.url.path, error=str(error))
    code = error.code if isinstance(error, PhotofeedError) else "error"
    reply = problem(status, code, str(error), instance=request.url.path)
    if isinstance(error, QuotaError):
        reply.headers["Retry-After"] = str(error.retry_after_seconds)
    return reply


async def _validation_error(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    if isinstance(error, RequestValidationError) and isinstance(error.body, bytes) and error.body:
        detail = "The body must be JSON, sent with the header Content-Type: application/json."
        return problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail, instance=request.url.path)
    if any(one["type"] == "json_invalid" for one in found):
        detail = f"The body is not valid JSON, near its character {found[0]['loc'][-1]}."
        return problem(HTTPStatus.BAD_REQUEST, "bad_request", detail, instance=request.url.path)
    fields = [{"field": _field_name(one["loc"]), "message": words_for(one)} for one in found[:_MAX_FIELD_ERRORS]]
    detail = "; ".join(f"{field['field']}: {field['message']}" for field in fields[:3])
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", detail, extra={"errors": fields}, instance=request.url.path
    )


def _field_name(location: Sequence[str | int]) -> str:
    """The name of a field, such as `events.3.postId`; `body` for the body as a whole."""
    return ".".join(map(str, location[1:])) or str(location[0])


def _http_problem(request: Request, error: HTTPException) -> Response:
    if isinstance(error, BodyTooLargeError | BodyTooSlowError):
        return body_refused(error)
    status = HTTPStatus(error.status_code)
    detail = {
        HTTPStatus.NOT_FOUND: "There is nothing here.",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not possible here.",
        HTTPStatus.BAD_REQUEST: "The body cannot be read.",
    }.get(status, status_name(status))
    if status is HTTPStatus.BAD_REQUEST and error.__cause__ is not None:  # FastAPI could not parse the body
        cause = error.__cause__
        detail = next((words for kind, words in _UNREADABLE.items() if isinstance(cause, kind)), detail)
    return problem(status, status_name(status).lower().replace(" ", "_"), detail, instance=request.url.path)


async def _dependency_error(request: Request, error: Exception) -> Response:
    if not is_unavailable(error) and not isinstance(error, RedisError):
        raise error
    log.error("a dependency failed", path=request.url.path, error=f"{type(error).__name__}: {error}")
    detail = UNAVAILABLE
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", detail, instance=request.url.path)


async def _deleted_error(request: Request, _: Exception) -> Response:
    """A row that the call refers to was deleted after the call had found it."""
    detail = "What this call refers to was deleted while the call ran."
    return problem(HTTPStatus.NOT_FOUND, "not_found", detail, instance=request.url.path)


def unexpected(request: Request) -> Response:
    """The reply to an error that nobody expected."""
    detail = "An unexpected error occurred. It was logged."
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", detail, instance=request.url.path)
