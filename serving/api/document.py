"""The OpenAPI document: what every operation answers, who may call it, and which problems it can report.

Routes declare their replies (declared.py). This module adds what FastAPI does not know: problem details instead of its
own validation error, the security scheme, and the problems of tokens, parameters and bodies.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel

from serving.api.declared import HEADERS, PROBLEM_CODES
from serving.api.idempotency import HEADER, KEPT_SECONDS, MOST_CHARACTERS, REPLAYED, IdempotentRoute
from serving.api.moderation import require_moderator
from serving.api.policy import calls
from serving.api.rate_limit import UNLIMITED
from serving.api.schemas import Problem
from serving.api.status_names import status_name
from serving.rate_limits import RATE_LIMIT_HEADERS
from serving.services import (
    require_admin,
    require_service,
    resolve_actor,
    resolve_caller,
    resolve_leaver,
    resolve_reporter,
    resolve_token,
    resolve_viewer,
)
from serving.session_cookies import APP_HEADER, HOST_PREFIX, SESSION

PROBLEM_JSON = "application/problem+json"
_SCHEME, _COOKIE = "bearer", "session"
_SENTENCE_END = re.compile(r"[.:;]\s|\n\n")
_PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}

# Problems that a dependency or a part of the request can cause, whatever the operation.
_UNSIGNED = {"unauthenticated": HTTPStatus.UNAUTHORIZED, "account_deleted": HTTPStatus.UNAUTHORIZED}
_FORGED = {"cross_origin": HTTPStatus.FORBIDDEN}
_ACTING = {"forbidden": HTTPStatus.FORBIDDEN, "not_found": HTTPStatus.NOT_FOUND}
_WRITING = {"actor_not_found": HTTPStatus.NOT_FOUND}
_IDEMPOTENT = {
    "idempotency_key_in_use": HTTPStatus.CONFLICT,
    "idempotency_key_reused": HTTPStatus.UNPROCESSABLE_ENTITY,
}
_INPUT = {"invalid": HTTPStatus.UNPROCESSABLE_ENTITY}
_BODY = {
    "bad_request": HTTPStatus.BAD_REQUEST,
    "body_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "request_timeout": HTTPStatus.REQUEST_TIMEOUT,
    "unsupported_media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}
_LIMITED = {"rate_limited": HTTPStatus.TOO_MANY_REQUESTS}
_ANY = {
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "try_again": HTTPStatus.SERVICE_UNAVAILABLE,
    "internal": HTTPStatus.INTERNAL_SERVER_ERROR,
}

_DETAILS = {
    "unauthenticated": "This endpoint needs a bearer token or a session cookie.",
    "cross_origin": "Another site made this request.",
    "account_deleted": "This account was deleted.",
    "forbidden": "Only a service may act for somebody else.",
    "not_found": "There is nothing here.",
    "actor_not_found": "There is no user with the actor's id.",
    "invalid": "limit: must be at most 100",
    "bad_request": "The body is not valid JSON, near its character 17.",
    "request_timeout": "The body did not arrive in time.",
    "body_too_large": "The body may have at most 1 MB.",
    "unsupported_media_type": "The body must be JSON, sent with the header Content-Type: application/json.",
    "idempotency_key_in_use": "A call with this key is still running.",
    "idempotency_key_reused": "This Idempotency-Key was used for another call.",
    "unavailable": "Something this needs is not answering. Please try again in a moment.",
    "try_again": "The event log does not answer.",
    "internal": "Something went wrong here. It was logged.",
    "rate_limited": "Too many calls. Please try again in 12 s.",
}

_IDEMPOTENCY_KEY = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Chosen by the client, such as a UUID. If the call is sent again with the key within "
    f"{KEPT_SECONDS // 3600} hours, it does nothing and is answered by its first reply, with `{REPLAYED}: true`",
    "schema": {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS},
}

_PROBLEM_HEADERS: Mapping[HTTPStatus, tuple[str, ...]] = {
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate",),
    HTTPStatus.TOO_MANY_REQUESTS: ("Retry-After", *RATE_LIMIT_HEADERS),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After",),
}


def install_document(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Serve the document of the routers' operations at /openapi.json; it is made at the first request."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = describe(app, routers)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented extension point


def operation_id(route: APIRoute) -> str:
    """The stable id of an operation: the endpoint's name in camelCase."""
    return to_camel(route.name)


def describe(app: FastAPI, routers: Sequence[APIRouter]) -> dict[str, Any]:
    """The document of all operations of the routers."""
    document: dict[str, Any] = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        servers=[{"url": "/", "description": "This server"}],
        tags=app.openapi_tags,
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    components["securitySchemes"] = {
        _SCHEME: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token of the identity provider, or of `photofeed token` in development. "
            "Its scopes are the roles that each operation lists.",
        },
        _COOKIE: {
            "type": "apiKey",
            "in": "cookie",
            "name": f"{HOST_PREFIX}{SESSION}",
            "description": "The session of the browser app (`POST /v1/session`). It counts for requests of this "
            f"origin only, and requests that change something need the header `{APP_HEADER}`. Over HTTP, on a "
            f"developer's machine, the cookie is named `{SESSION}`.",
        },
    }
    for route in (route for router in routers for route in router.routes):
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                _finish(document["paths"][route.path_format][method.lower()], route, method.lower())
    return document


def _finish(operation: dict[str, Any], route: APIRoute, method: str) -> None:
    operation["summary"] = _SENTENCE_END.split(route.description, maxsplit=1)[0].rstrip(".")
    needs = set(calls(route.dependant))
    takes_token = bool(needs & {resolve_caller, resolve_actor, resolve_viewer, resolve_leaver, resolve_token})
    operation["security"] = [{_SCHEME: list(_roles(needs))}] if takes_token else []
    if takes_token and not needs & {resolve_token, require_service}:
        operation["security"].append({_COOKIE: []})
    # The other POST starts a session: its reply has a secret, which is not kept.
    is_idempotent = method == "post" and takes_token and isinstance(route, IdempotentRoute)
    if is_idempotent:
        operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
    responses: dict[str, dict[str, Any]] = operation["responses"]
    is_limited = route.path_format not in UNLIMITED
    if is_limited:
        _promise_limits(responses)
    problems = {status: reply.pop(PROBLEM_CODES) for status, reply in responses.items() if PROBLEM_CODES in reply}
    general = _general_problems(operation, needs, method) | (_LIMITED if is_limited else {})
    if is_idempotent:
        general |= _IDEMPOTENT
    for code, status in general.items():
        problems.setdefault(str(status.value), {}).setdefault(code, _DETAILS[code])
    _mend_successes(responses, route)
    for number, codes in problems.items():
        problem = _problem_reply(HTTPStatus(int(number)), codes)
        other = responses.get(number, {}).get("content", {})  # such as the body of a failed readiness check
        responses[number] = problem | {"content": other | problem["content"]}
    operation["responses"] = dict(sorted(responses.items()))


def _promise_limits(responses: Mapping[str, dict[str, Any]]) -> None:
    """Declare the headers of rate limits at the replies to calls that succeed."""
    for number, reply in responses.items():
        if number.startswith("2"):
            reply["headers"] = reply.get("headers", {}) | {name: HEADERS[name] for name in RATE_LIMIT_HEADERS}


def _general_problems(operation: Mapping[str, Any], needs: set[Any], method: str) -> dict[str, HTTPStatus]:
    """Problems that follow from the token, the parameters and the body of an operation, by code."""
    found = dict(_ANY)
    if operation["security"]:
        found |= _UNSIGNED
    if {_COOKIE: []} in operation["security"]:
        found |= _FORGED
    if needs & {resolve_actor, resolve_viewer}:
        found |= _ACTING
        if method != "get":
            found |= _WRITING
    if needs & {require_service, require_moderator, require_admin, resolve_reporter}:
        found |= {"forbidden": HTTPStatus.FORBIDDEN}
    if any(one["in"] == "path" and one["name"].endswith("_id") for one in operation.get("parameters", [])):
        found |= {"not_found": HTTPStatus.NOT_FOUND}
    if operation.get("parameters") or operation.get("requestBody"):
        found |= _INPUT
    if operation.get("requestBody"):
        found |= _BODY
    return found


def _mend_successes(responses: dict[str, dict[str, Any]], route: APIRoute) -> None:
    """Remove what FastAPI adds by itself, and set the examples, from which it leaves out null."""
    responses.pop("422", None)  # its own validation error
    for number, reply in route.responses.items():
        if "model" in reply:
            responses[str(number)]["content"]["application/json"]["example"] = reply["model"].EXAMPLE
    for reply in responses.values():  # JSON of any shape, beside what is sent as text or bytes
        if "content" in reply:
            reply["content"] = {name: one for name, one in reply["content"].items() if one.get("schema")}


def _problem_reply(status: HTTPStatus, codes: Mapping[str, str]) -> dict[str, Any]:
    examples = {
        code: {
            "value": {
                "type": f"urn:photofeed:problem:{code}",
                "title": status_name(status),
                "status": status.value,
                "detail": detail,
                "code": code,
            }
        }
        for code, detail in codes.items()
    }
    return {
        "description": f"{status_name(status)}: " + ", ".join(f"`{code}`" for code in codes),
        "content": {PROBLEM_JSON: {"schema": _PROBLEM_REF, "examples": examples}},
        "headers": {name: HEADERS[name] for name in _PROBLEM_HEADERS.get(status, ())},
    }


def _roles(needs: set[Any]) -> Iterator[str]:
    if require_moderator in needs:
        yield "moderator"
    elif require_admin in needs:
        yield "admin"
    elif require_service in needs:
        yield "service"
    else:
        yield "user"
