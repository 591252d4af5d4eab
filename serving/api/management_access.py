"""Who may read what is for operators: metrics, the details of readiness, and the API's document."""

import hmac
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response

from photofeed.errors import NotFoundError
from serving.api.replies import reply
from serving.services import Services


async def is_operator(request: Request) -> bool:
    """Whether a request is one of an operator: in development each is; else it has the management token."""
    services: Services = request.state.services
    if services.settings.is_development:
        return True
    token = services.settings.management_token
    given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    return token is not None and hmac.compare_digest(given.encode(), token.get_secret_value().encode())


IsOperator = Annotated[bool, Depends(is_operator)]


def require_operator(*, is_operator: bool) -> None:
    """Answer everybody else as if there were nothing.

    Raises:
        NotFoundError: the request is not of an operator.
    """
    if not is_operator:
        raise NotFoundError("There is nothing here.")


async def get_document(request: Request) -> Response:
    """Get the OpenAPI document of the API. It is a route of the server like the pages, and not of the document itself.

    Raises:
        NotFoundError: the document is not public, and the request is not of an operator.
    """
    services: Services = request.state.services
    if not services.settings.serves_docs:
        require_operator(is_operator=await is_operator(request))
    return reply(request.app.openapi())
