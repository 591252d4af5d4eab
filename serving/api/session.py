"""Sessions of the browser app: sign in at the OpenID provider or with a token, who is signed in, sign out.

Sign-in and its callback are visited by the browser. They redirect it, also after a failure: to the app's sign-in page,
which says what went wrong.
"""

import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode, urlsplit

import orjson
import structlog
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from photofeed.errors import ForbiddenError, PhotofeedError, RetryableError, UnauthenticatedError
from photofeed.settings import LOOPBACK_NAMES
from photofeed.tokens import Caller
from serving.api.declared import NO_USER, refuses, returns
from serving.api.replies import reply
from serving.api.schemas import SessionReply, SignedOut
from serving.api.user_rows import find_user
from serving.oidc import Attempt
from serving.people_json import person_json
from serving.services import Services, ServicesDep, TokenCallerDep, session_caller
from serving.session_cookies import (
    SESSION,
    SIGN_IN,
    SIGN_IN_SECONDS,
    read_cookie,
    remembered_as,
    remove_cookie,
    require_own_origin,
    set_cookie,
)

router = APIRouter(prefix="/v1", tags=["people"])
log = structlog.get_logger(__name__)

_CALLBACK = "/v1/session/callback"
_SIGN_IN_PAGE = "/sign-in"
_SECRET_BYTES = 32
_NO_STORE = {"Cache-Control": "no-store"}
# A path of the app. `//` and `/\` begin the address of another server.
_TARGET = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,1023}")
_CODE = Query(max_length=4096)


@router.get("/session", responses=returns(SessionReply, "Cache-Control"))
async def get_session(request: Request, services: ServicesDep) -> Response:
    """Get who is signed in with the session cookie, and how people can sign in. It needs no session."""
    caller = None
    if read_cookie(services.settings, request.headers, SESSION):
        try:
            caller = await session_caller(request)
        except (UnauthenticatedError, ForbiddenError):
            log.info("session refused")
    answer = reply(await _session_json(services, caller))
    answer.headers.update(_NO_STORE)
    return answer


@router.post(
    "/session",
    status_code=201,
    responses=returns(SessionReply, "Cache-Control", status=HTTPStatus.CREATED)
    | refuses(HTTPStatus.FORBIDDEN, forbidden="Only a person can have a session.")
    | NO_USER,
)
async def create_session(services: ServicesDep, signed: TokenCallerDep) -> Response:
    """Exchange a bearer token for a session cookie, which ends with the token at the latest."""
    caller, token = signed
    body = await _session_json(services, caller)  # refuses people without an account
    secret, ends_at = await services.sessions.start_from_token(caller, token)
    answer = reply(body, HTTPStatus.CREATED)
    _start(services, answer, secret, ends_at)
    return answer


@router.delete(
    "/session",
    responses=returns(SignedOut, "Cache-Control")
    | refuses(HTTPStatus.FORBIDDEN, cross_origin="Another site made this request."),
)
async def delete_session(request: Request, services: ServicesDep) -> Response:
    """Sign out: end the session of the cookie. Other servers forget it within a minute.

    `providerUrl` is the page of the identity provider that ends the session there; null if there is none.
    """
    settings, had = services.settings, False
    secret = read_cookie(settings, request.headers, SESSION)
    if secret is not None:
        require_own_origin(settings, request.method, request.headers)
        services.verifier.forget_token(remembered_as(secret))
        had = await services.sessions.end(secret)
    provider, url = services.sessions.provider, None
    if had and provider is not None:
        url = await provider.sign_out_url(f"{settings.public_url.rstrip('/')}{_SIGN_IN_PAGE}")
    answer = reply({"providerUrl": url})
    answer.headers.update(_NO_STORE)
    remove_cookie(settings, answer, SESSION)
    return answer


@router.get("/session/sign-in", include_in_schema=False)
async def sign_in(
    request: Request, services: ServicesDep, to: Annotated[str, Query(max_length=1024)] = "/"
) -> Response:
    """Go to the identity provider, and come back to the page `to`."""
    settings, provider = services.settings, services.sessions.provider
    to = to if _TARGET.fullmatch(to) else "/"
    if provider is None:
        return _failed("no_provider", to)
    if _is_other_name(request, settings.public_url):  # the callback comes to the public URL, and so must the cookie
        there = f"{settings.public_url.rstrip('/')}{request.url.path}?{urlencode({'to': to})}"
        return RedirectResponse(there, HTTPStatus.SEE_OTHER, _NO_STORE)
    attempt = Attempt(*(secrets.token_urlsafe(_SECRET_BYTES) for _ in range(3)))
    try:
        url = await provider.authorization_url(attempt, f"{settings.public_url.rstrip('/')}{_CALLBACK}")
    except RetryableError as error:
        log.warning("sign-in failed", error=str(error))
        return _failed("unavailable", to)
    answer = RedirectResponse(url, HTTPStatus.SEE_OTHER, _NO_STORE)
    kept = urlsafe_b64encode(orjson.dumps(asdict(attempt) | {"to": to})).decode()
    set_cookie(settings, answer, SIGN_IN, kept, SIGN_IN_SECONDS)
    return answer


@router.get("/session/callback", include_in_schema=False)
async def sign_in_callback(  # the parameters are those of RFC 6749, 4.1.2, and RFC 9207
    request: Request,
    services: ServicesDep,
    code: Annotated[str | None, _CODE] = None,
    state: Annotated[str | None, _CODE] = None,
    iss: Annotated[str | None, _CODE] = None,
) -> Response:
    """Take the reply of the identity provider, and begin the session of who signed in."""
    attempt, to = _attempt_of(services, request)
    try:
        if attempt is None or state is None or not secrets.compare_digest(state.encode(), attempt.state.encode()):
            answer = _failed("expired", to)
        elif code is None:
            answer = _failed("refused", to)
        else:
            answer = await _finish(services, code, iss, attempt, to)
    except PhotofeedError as error:
        log.warning("sign-in failed", error=str(error))
        answer = _failed(_PROBLEMS.get(type(error), "failed") if error.code != "account_deleted" else "deleted", to)
    remove_cookie(services.settings, answer, SIGN_IN)
    return answer


_PROBLEMS: dict[type[PhotofeedError], str] = {RetryableError: "unavailable", ForbiddenError: "no_account"}


async def _finish(services: Services, code: str, iss: str | None, attempt: Attempt, to: str) -> Response:
    sessions, settings = services.sessions, services.settings
    provider = sessions.provider
    if provider is None or not await provider.issuer_is(iss):
        return _failed("failed", to)
    person, signed_in = await provider.exchange(code, attempt, f"{settings.public_url.rstrip('/')}{_CALLBACK}")
    caller = await services.identities.caller(person)
    secret, ends_at = await sessions.start_from_sign_in(caller, signed_in)
    answer = RedirectResponse(to, HTTPStatus.SEE_OTHER)
    _start(services, answer, secret, ends_at)
    return answer


def _start(services: Services, answer: Response, secret: str, ends_at: datetime) -> None:
    seconds = round(ends_at.timestamp() - services.sessions.clock())
    set_cookie(services.settings, answer, SESSION, secret, max(seconds, 1))
    answer.headers.update(_NO_STORE)


def _is_other_name(request: Request, public_url: str) -> bool:
    """Whether the browser uses another name of this machine than the public URL, such as localhost."""
    public, here = urlsplit(public_url), urlsplit(f"//{request.headers.get('host', '')}")
    return {public.hostname, here.hostname} <= LOOPBACK_NAMES and public.hostname != here.hostname


def _attempt_of(services: Services, request: Request) -> tuple[Attempt | None, str]:
    """What the browser keeps of its sign-in, and the page that it wanted."""
    kept = read_cookie(services.settings, request.headers, SIGN_IN)
    try:
        values = orjson.loads(urlsafe_b64decode(kept or ""))
        to = values.pop("to")
        return Attempt(**values), to if _TARGET.fullmatch(to) else "/"
    except (ValueError, TypeError, KeyError, AttributeError):  # none, or one that we did not make
        return None, "/"


def _failed(problem: str, to: str) -> Response:
    return RedirectResponse(
        f"{_SIGN_IN_PAGE}?{urlencode({'problem': problem, 'to': to})}", HTTPStatus.SEE_OTHER, _NO_STORE
    )


async def _session_json(services: Services, caller: Caller | None) -> dict[str, Any]:
    settings = services.settings
    ways = {"provider": bool(settings.oidc_issuer), "demo": settings.is_development}
    if caller is None:
        return {"person": None, "roles": [], "signIn": ways}
    async with services.database.connection() as connection:
        row = await find_user(connection, caller.user_id)
    return {"person": person_json(row, settings.public_url), "roles": sorted(caller.scopes), "signIn": ways}
