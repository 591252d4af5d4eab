"""Declarations of replies at the routes: `responses=returns(...) | refuses(...)`.

FastAPI copies them into the OpenAPI document and does nothing else with them; endpoints send their own bytes.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from serving.api.schemas import Shape
from serving.api.status_names import status_name

PROBLEM_CODES = "x-problem-codes"
"""Key under which `refuses` keeps its codes until `document.describe` turns them into problem details."""


def _header(description: str, schema: str = "string", *, required: bool = True) -> dict[str, Any]:
    return {"description": description, "required": required, "schema": {"type": schema}}


HEADERS: Mapping[str, dict[str, Any]] = {
    "ETag": _header("Version of the representation; of a feed, on its first page only", required=False),
    "Cache-Control": _header("Whether and how long a cache may keep the reply", required=False),
    "Content-Range": _header("The bytes that follow, and the size of the file"),
    "Retry-After": _header("Seconds to wait", "integer"),
    "RateLimit-Limit": _header("Calls of this kind that you may make in a span of time", "integer", required=False),
    "RateLimit-Remaining": _header("Calls that are left", "integer", required=False),
    "RateLimit-Reset": _header("Seconds until the span ends", "integer", required=False),
    "RateLimit-Policy": _header("The limit, and the span `w` in seconds", required=False),
    "WWW-Authenticate": _header("The scheme to use: `Bearer`"),
}

Responses = dict[int | str, dict[str, Any]]


def returns(model: type[Shape], *headers: str, status: HTTPStatus = HTTPStatus.OK) -> Responses:
    """Declare a JSON reply by its shape and headers; the example is the shape's."""
    return {
        status.value: {
            "model": model,
            "description": (model.__doc__ or status_name(status)).partition("\n")[0],
            "headers": {name: HEADERS[name] for name in headers},
        }
    }


def sends(
    media_types: Mapping[str, str | None], *headers: str, status: HTTPStatus = HTTPStatus.OK, description: str
) -> Responses:
    """Declare a reply that is not JSON, as media type -> an example of its text, or None for bytes."""
    content = {name: _text(example) if example else _BYTES for name, example in media_types.items()}
    return {
        status.value: {
            "description": description,
            "content": content,
            "headers": {name: HEADERS[name] for name in headers},
        }
    }


_BYTES: dict[str, Any] = {
    "schema": {"type": "string", "format": "binary"},
    "example": "the bytes of the file",
}


def _text(example: str) -> dict[str, Any]:
    return {"schema": {"type": "string"}, "example": example}


def sends_nothing(*headers: str, status: HTTPStatus = HTTPStatus.NO_CONTENT, description: str = "Done") -> Responses:
    """Declare a reply without a body."""
    return {status.value: {"description": description, "headers": {name: HEADERS[name] for name in headers}}}


def refuses(status: HTTPStatus, **codes: str) -> Responses:
    """Declare the problems of one status, as code -> the sentence of its example."""
    return {status.value: {"description": status_name(status), PROBLEM_CODES: codes}}


TOO_MANY_STREAMS = refuses(
    HTTPStatus.TOO_MANY_REQUESTS, too_many_streams="You have 10 open streams, the most at a time."
)
NO_PHOTO = refuses(HTTPStatus.NOT_FOUND, photo_not_found="You have no photo with this id.")
NO_POST = refuses(HTTPStatus.NOT_FOUND, post_not_found="There is no such post, or you may not see it.")
NO_USER = refuses(HTTPStatus.NOT_FOUND, user_not_found="There is no user with this id.")
NOT_YOURSELF = refuses(HTTPStatus.UNPROCESSABLE_ENTITY, self="You cannot do this to yourself.")
BAD_CURSOR = refuses(HTTPStatus.UNPROCESSABLE_ENTITY, cursor_invalid="The cursor is not valid for this list.")
OLD_CURSOR = refuses(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    cursor_invalid="The cursor is not valid.",
    cursor_expired="This feed is too old. Please load it again.",
)
