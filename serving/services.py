"""The services that requests use: built once by the bootstrap, and passed on in FastAPI's state."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request

from photofeed.database import AsyncDatabase
from photofeed.errors import ForbiddenError, PhotofeedError, UnauthenticatedError
from photofeed.event_log import EventPublisher
from photofeed.ids import IdGenerator, decode_id
from photofeed.object_store import ObjectStore
from photofeed.settings import Settings
from photofeed.tokens import USER, Caller, TokenVerifier
from serving.engagement.recorder import EngagementRecorder
from serving.external_ids import ExternalIds
from serving.feed.given import GivenRanker
from serving.feed.pipeline import FeedPipeline
from serving.identities import Identities
from serving.image_addresses import ImageAddresses
from serving.item_facts import ItemReader
from serving.items import Items
from serving.model_slot import ModelSlot
from serving.notification_signals import NotificationSignals
from serving.notifications import Notifications
from serving.operations import Operations
from serving.posts import Posts
from serving.rate_limits import RateLimiter
from serving.session_cookies import SESSION, read_cookie, remembered_as, require_own_origin
from serving.sessions import Sessions
from serving.stop_signal import StopSignal
from serving.streams import Streams
from serving.token_checks import verify

FAILED = "photofeed.failed"
"""The key in a request's scope of the error with which the request has failed already (plain_feed.py)."""


@dataclass(frozen=True, slots=True)
class Services:
    """The dependencies of the API."""

    settings: Settings
    ids: IdGenerator
    database: AsyncDatabase
    redis: Any
    objects: ObjectStore
    publisher: EventPublisher
    verifier: TokenVerifier
    identities: Identities
    sessions: Sessions
    rate_limiter: RateLimiter
    streams: Streams
    engagement: EngagementRecorder
    external_ids: ExternalIds
    items: Items
    item_reader: ItemReader
    model_slot: ModelSlot
    operations: Operations
    feed: FeedPipeline
    given: GivenRanker
    posts: Posts
    images: ImageAddresses
    notifications: Notifications
    signals: NotificationSignals
    stop: StopSignal


@dataclass(frozen=True, slots=True)
class Leaver:
    """A person who deletes their account; `has_left`: they have done so before."""

    user_id: int
    has_left: bool


# Dependencies are coroutines although most await nothing: FastAPI runs plain functions in threads, one after the other,
# which takes longer than the functions themselves. They do not depend on each other, and declare only the parameters
# that clients must know: FastAPI resolves every dependency and parameter for every request.


async def _services(request: Request) -> Services:
    services: Services = request.state.services
    return services


ServicesDep = Annotated[Services, Depends(_services)]


async def resolve_caller(request: Request) -> Caller:
    """The caller that the bearer token names or, without one, the session cookie."""
    if FAILED in request.scope:
        raise request.scope[FAILED]
    token = _bearer_token(request)
    return await session_caller(request) if token is None else await token_caller(request.state.services, token)


async def token_caller(services: Services, token: str) -> Caller:
    """The caller that a bearer token names.

    Raises:
        UnauthenticatedError: the token is not valid, or its account was deleted.
        ForbiddenError: the person has no account, and accounts are not added at the first login.
        RetryableError: the identity provider does not answer, so its keys are unknown.
    """
    verifier = services.verifier
    known = verifier.remembered(token)
    if known is not None:
        return known
    verified = await verify(verifier, token)
    caller = await services.identities.caller(verified)
    verifier.remember(token, verified, caller)
    return caller


async def session_caller(request: Request) -> Caller:
    """The caller that the session cookie stands for.

    Raises:
        UnauthenticatedError: there is no cookie, or its session has ended.
        ForbiddenError: another site made the request.
    """
    services: Services = request.state.services
    verifier, secret = services.verifier, _session_cookie(request)
    key = remembered_as(secret)
    known = verifier.remembered(key)
    if known is not None:
        return known
    verified = await services.sessions.read(secret)
    caller = await services.identities.caller(verified)
    verifier.remember(key, verified, caller)
    return caller


def _session_cookie(request: Request) -> str:
    settings = request.state.services.settings
    secret = read_cookie(settings, request.headers, SESSION)
    if secret is None:
        raise UnauthenticatedError(_UNSIGNED)
    require_own_origin(settings, request.method, request.headers)
    return secret


def _bearer_token(request: Request) -> str | None:
    """The bearer token; None if the request has no header for one."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise UnauthenticatedError(_UNSIGNED)
    return token.strip()


_UNSIGNED = "This endpoint needs a bearer token or a session cookie."


CallerDep = Annotated[Caller, Depends(resolve_caller)]


def require_user(caller: Caller) -> Caller:
    """The caller, if its token is for a user of photofeed.

    Raises:
        ForbiddenError: the token lacks the scope.
    """
    if USER not in caller.scopes:
        raise ForbiddenError(f"This endpoint needs a token with the scope {USER!r}.")
    return caller


async def resolve_reporter(caller: CallerDep) -> Caller:
    """The caller, if it is a user, or a service that reports for many."""
    return caller if caller.is_service else require_user(caller)


ReporterDep = Annotated[Caller, Depends(resolve_reporter)]


async def resolve_actor(request: Request, act_as: Annotated[str | None, Header()] = None) -> int:
    """The user that a request acts for: the caller or, for a service, the user in `Act-As`."""
    caller = await resolve_caller(request)
    if act_as is not None:
        if not caller.is_service:
            raise ForbiddenError("Only a service may act for another user.")
        return decode_id(act_as)
    if caller.user_id == 0:
        raise ForbiddenError("A service must name the user it acts for in the header Act-As.")
    return caller.user_id if caller.is_service else require_user(caller).user_id


ActorDep = Annotated[int, Depends(resolve_actor)]


async def resolve_leaver(request: Request) -> Leaver:
    """The caller who deletes their account: also with a token of an account that is deleted already.

    Services are refused: nobody else may delete an account here.
    """
    services: Services = request.state.services
    token = _bearer_token(request)
    if token is None:
        verified = await services.sessions.read(_session_cookie(request))
    else:
        verified = await verify(services.verifier, token)
    erased = await services.identities.erased(verified)
    if erased is not None:
        return Leaver(erased, has_left=True)
    caller = require_user(await services.identities.caller(verified))
    if caller.is_service:
        raise ForbiddenError("Only the person can delete their account.")
    return Leaver(caller.user_id, has_left=False)


LeaverDep = Annotated[Leaver, Depends(resolve_leaver)]


async def resolve_token(request: Request) -> tuple[Caller, str]:
    """The person that a bearer token names, and the token. Cookies do not count."""
    services: Services = request.state.services
    token = _bearer_token(request)
    if token is None:
        raise UnauthenticatedError("This endpoint needs a bearer token.")
    verified = await verify(services.verifier, token)
    caller = require_user(await services.identities.caller(verified))
    if caller.is_service:
        raise ForbiddenError("Only a person can have a session.")
    return caller, token


TokenCallerDep = Annotated[tuple[Caller, str], Depends(resolve_token)]


async def may_go_on(request: Request, actor: int) -> bool:
    """Whether a reply that lasts may go on: what the request proved who calls with still holds for the actor."""
    try:
        return await resolve_actor(request, request.headers.get("act-as")) == actor
    except PhotofeedError:  # the next request says what is wrong
        return False


async def resolve_viewer(request: Request, act_as: Annotated[str | None, Header()] = None) -> int:
    """The user whose feed is requested: as `resolve_actor`, except that an admin may name any user."""
    if act_as is not None and (await resolve_caller(request)).is_admin:
        return decode_id(act_as)
    return await resolve_actor(request, act_as)


ViewerDep = Annotated[int, Depends(resolve_viewer)]


async def require_admin(caller: CallerDep) -> Caller:
    """The caller, if it is an admin."""
    if not caller.is_admin:
        raise ForbiddenError("This endpoint is for admins only.")
    return caller


AdminDep = Annotated[Caller, Depends(require_admin)]


async def require_service(caller: CallerDep) -> Caller:
    """The caller, if it is a service."""
    if not caller.is_service:
        raise ForbiddenError("This endpoint is for services only.")
    return caller


ServiceCallerDep = Annotated[Caller, Depends(require_service)]
