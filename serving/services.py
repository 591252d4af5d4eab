"""Everything a request may need, built once by the bootstrap and handed on by FastAPI's state."""

from dataclasses import dataclass
from typing import Annotated, Any

import anyio.to_thread
from fastapi import Depends, Header, Request

from photofeed.database import AsyncDatabase
from photofeed.errors import ForbiddenError, UnauthenticatedError
from photofeed.event_log import EventPublisher
from photofeed.ids import IdGenerator, decode_id
from photofeed.object_store import ObjectStore
from photofeed.online_store.reader import PackedReader
from photofeed.settings import Settings
from photofeed.tokens import Caller, TokenVerifier
from serving.engagement import EngagementRecorder
from serving.feed.pipeline import FeedPipeline
from serving.model_slot import ModelSlot


@dataclass(frozen=True, slots=True)
class Services:
    """The dependencies of the API; real ones in production, in-memory ones in tests."""

    settings: Settings
    ids: IdGenerator
    database: AsyncDatabase
    redis: Any
    objects: ObjectStore
    publisher: EventPublisher
    verifier: TokenVerifier
    engagement: EngagementRecorder
    model_slot: ModelSlot
    feed: FeedPipeline
    activity: PackedReader


# Dependencies are coroutines although most wait for nothing: FastAPI hands plain functions to threads, one after the
# other, which costs a request more than what they do. Nor do they depend on each other, or declare what no client needs
# to be told of: FastAPI would work through all of it for every request.


async def _services(request: Request) -> Services:
    services: Services = request.state.services
    return services


ServicesDep = Annotated[Services, Depends(_services)]


async def _caller(request: Request) -> Caller:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise UnauthenticatedError("This call needs a bearer token.")
    verifier: TokenVerifier = request.state.services.verifier
    known = verifier.remembered(token.strip())
    if known is not None:
        return known
    if verifier.may_wait:
        return await anyio.to_thread.run_sync(verifier.verify, token.strip())
    return verifier.verify(token.strip())


CallerDep = Annotated[Caller, Depends(_caller)]


async def _actor(request: Request, act_as: Annotated[str | None, Header()] = None) -> int:
    """The person a request acts for: the caller, or whom a service names in `Act-As`."""
    caller = await _caller(request)
    if act_as is not None:
        if not caller.is_service:
            raise ForbiddenError("Only a service may act for somebody else.")
        return decode_id(act_as)
    if caller.user_id == 0:
        raise ForbiddenError("A service says for whom it acts, in the header Act-As.")
    return caller.user_id


ActorDep = Annotated[int, Depends(_actor)]


async def _viewer(request: Request, act_as: Annotated[str | None, Header()] = None) -> int:
    """Whose feed a request is for: as `_actor` has it, but an admin may look at anybody's."""
    if act_as is not None and (await _caller(request)).is_admin:
        return decode_id(act_as)
    return await _actor(request, act_as)


ViewerDep = Annotated[int, Depends(_viewer)]


async def _service_caller(caller: CallerDep) -> Caller:
    if not caller.is_service:
        raise ForbiddenError("This call is for services.")
    return caller


ServiceCallerDep = Annotated[Caller, Depends(_service_caller)]
