"""Errors as RFC 9457 problem details: every refusal has a stable type, a title and a sentence for people."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from photofeed.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    PhotofeedError,
    QuotaError,
    RetryableError,
    UnauthenticatedError,
)

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
_MOST_FIELD_ERRORS = 20


def problem(
    status: HTTPStatus, code: str, detail: str, *, extra: Mapping[str, Any] | None = None, instance: str = ""
) -> Response:
    """A problem reply; `type` is a URN made of the code, which never changes its meaning."""
    body = {
        "type": f"urn:photofeed:problem:{code}",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "code": code,
        **({"instance": instance} if instance else {}),
        **(extra or {}),
    }
    return Response(
        orjson.dumps(body), status.value, headers=_HEADERS.get(status), media_type="application/problem+json"
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error with a problem; none with a traceback."""
    app.add_exception_handler(PhotofeedError, _own_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    for unavailable in (OperationalError, PoolTimeout, RedisError):
        app.add_exception_handler(unavailable, _dependency_error)
    app.add_exception_handler(Exception, _unexpected_error)


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
    fields = [
        {"field": ".".join(map(str, one["loc"][1:])) or str(one["loc"][0]), "message": one["msg"]}
        for one in found[:_MOST_FIELD_ERRORS]
    ]
    detail = "; ".join(f"{field['field']}: {field['message']}" for field in fields[:3])
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", detail, extra={"errors": fields}, instance=request.url.path
    )


async def _http_error(request: Request, error: Exception) -> Response:
    status = HTTPStatus(error.status_code) if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    detail = "There is nothing here." if status is HTTPStatus.NOT_FOUND else status.description or status.phrase
    return problem(status, status.phrase.lower().replace(" ", "_"), detail, instance=request.url.path)


async def _dependency_error(request: Request, error: Exception) -> Response:
    log.error("a dependency failed", path=request.url.path, error=f"{type(error).__name__}: {error}")
    detail = "Something this needs is not answering. Please try again in a moment."
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", detail, instance=request.url.path)


async def _unexpected_error(request: Request, error: Exception) -> Response:
    log.error("unexpected error", path=request.url.path, exc_info=error)
    detail = "Something went wrong here. It was written down."
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", detail, instance=request.url.path)
