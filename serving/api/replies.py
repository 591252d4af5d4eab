"""Replies: orjson bytes sent directly, without FastAPI's encoder."""

from http import HTTPStatus
from typing import Any

import orjson
from fastapi.responses import Response


def reply(body: Any, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """A JSON reply."""
    return Response(orjson.dumps(body), status.value, media_type="application/json")


def no_content() -> Response:
    """An empty reply: 204."""
    return Response(status_code=HTTPStatus.NO_CONTENT.value)
