"""Users: accounts, and follows, blocks and mutes between them."""

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import Response
from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict, Field, StrictBool
from pydantic.alias_generators import to_camel

from photofeed.database import write_outbox
from photofeed.errors import ConflictError, InvalidError, NotFoundError
from photofeed.events import ENDED_BY_OTHER, Action, Envelope
from photofeed.handles import is_reserved
from photofeed.ids import decode_id, uuid7
from photofeed.topics import GRAPH_CHANGED
from serving.api.declared import NO_USER, NOT_YOURSELF, refuses, returns, sends_nothing
from serving.api.fields import HANDLE, STORABLE, DisplayName, ExternalId, HandlePath, IdPath, Moment, check_creation
from serving.api.followers import accept_requests, has_requested, pending_requests
from serving.api.idempotency import IdempotentRoute
from serving.api.replies import no_content, reply
from serving.api.schemas import FollowRequested, Me, Profile, User
from serving.api.user_rows import USER, find_user, find_user_for, require_actor
from serving.engagement.actions import ClientAction
from serving.external_ids import claim_person
from serving.people_json import person_json
from serving.services import ActorDep, ServiceCallerDep, Services, ServicesDep
from serving.times import timestamp

router = APIRouter(route_class=IdempotentRoute, prefix="/v1", tags=["people"])


class NewUser(BaseModel):
    """A user to add, as the identity provider knows them."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    handle: Annotated[str, Field(pattern=HANDLE, description="Unique, lower case")]
    display_name: DisplayName
    is_private: StrictBool = False
    created_at: Moment | None = None
    external_id: Annotated[ExternalId | None, Field(description="What your system calls them")] = None


_RELATION = """
select (select count(*) from posts where author_id = %(them)s and visible) as post_count,
       exists (select 1 from follows where follower_id = %(me)s and followee_id = %(them)s) as followed_by_me,
       exists (select 1 from follows where follower_id = %(them)s and followee_id = %(me)s) as follows_me,
       exists (select 1 from follow_requests where follower_id = %(me)s and followee_id = %(them)s) as requested_by_me,
       exists (select 1 from blocks where blocker_id = %(me)s and blocked_id = %(them)s) as blocked_by_me,
       exists (select 1 from blocks where blocker_id = %(them)s and blocked_id = %(me)s) as blocks_me,
       exists (select 1 from mutes where muter_id = %(me)s and muted_id = %(them)s) as muted_by_me
"""


def user_json(row: DictRow, public_url: str) -> dict[str, Any]:
    """A user as the API shows them to others."""
    return person_json(row, public_url) | {
        "bio": row["bio"],
        "isPrivate": row["is_private"],
        "followerCount": row["follower_count"],
        "followingCount": row["following_count"],
        "createdAt": timestamp(row["created_at"]),
    }


def own_json(row: DictRow, public_url: str) -> dict[str, Any]:
    """A user as the API shows them to themselves."""
    return user_json(row, public_url) | {"keepPlaces": row["keep_places"]}


@router.post(
    "/users",
    status_code=201,
    responses=returns(User, status=HTTPStatus.CREATED)
    | refuses(
        HTTPStatus.CONFLICT,
        handle_taken="The handle 'marta.k' is taken.",
        external_id_taken="There is a person with the externalId 'u-17' already.",
    )
    | refuses(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        creation_time="createdAt must be after 2020-01-01, and not in the future.",
        handle_reserved="The handle 'admin' is reserved. Choose another one.",
    ),
)
async def create_user(body: NewUser, services: ServicesDep, caller: ServiceCallerDep) -> Response:  # noqa: ARG001
    """Add a user. Services only: users sign up at the identity provider."""
    if is_reserved(body.handle):
        raise InvalidError(f"The handle {body.handle!r} is reserved. Choose another one.", code="handle_reserved")
    created_at = check_creation(body.created_at or datetime.now(UTC))
    user_id = services.ids.at(created_at) if body.created_at else services.ids.next()
    async with services.database.connection() as connection:
        try:
            await connection.execute(
                "insert into users (id, handle, display_name, is_private, created_at) values (%s, %s, %s, %s, %s)",
                (user_id, body.handle, body.display_name, body.is_private, created_at),
            )
        except UniqueViolation as error:
            raise ConflictError(f"The handle {body.handle!r} is taken.", code="handle_taken") from error
        if body.external_id is not None and not await claim_person(connection, body.external_id, user_id):
            raise ConflictError(
                f"There is a person with the externalId {body.external_id!r} already.", code="external_id_taken"
            )
        row = await find_user(connection, user_id)
    return reply(user_json(row, services.settings.public_url), HTTPStatus.CREATED)


@router.get(
    "/me",
    responses=returns(Me) | NO_USER,
)
async def get_me(services: ServicesDep, actor: ActorDep) -> Response:
    """Get your own account."""
    async with services.database.connection() as connection:
        return reply(own_json(await find_user(connection, actor), services.settings.public_url))


class AccountChange(BaseModel):
    """Changes of an account; omitted fields stay unchanged."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    display_name: Annotated[DisplayName | None, Field(description="Shown beside the handle")] = None
    bio: Annotated[str | None, Field(max_length=300, description="A few words on the profile"), STORABLE] = None
    is_private: Annotated[StrictBool | None, Field(description="Only followers see the posts of a private account")] = (
        None
    )
    keep_places: Annotated[
        StrictBool | None,
        Field(description="Keep the location of photos uploaded from now on; only their owner sees it"),
    ] = None


_SET_WORDS = """
update users set display_name = coalesce(%(name)s, display_name), bio = coalesce(%(bio)s, bio)
where id = %(me)s and (%(name)s::text is not null or %(bio)s::text is not null)
"""
_DELETE_LOCATIONS = """
update photo_metadata m set latitude = null, longitude = null from photos p
where p.id = m.photo_id and p.owner_id = %s and m.latitude is not null
"""


@router.patch(
    "/me",
    responses=returns(Me) | NO_USER,
)
async def update_me(body: AccountChange, services: ServicesDep, actor: ActorDep) -> Response:
    """Change your display name, your bio, or your privacy settings.

    Posts of a private account are removed from explore. When an account becomes public, its pending follow requests
    are accepted. With `keepPlaces` false, the stored locations of all your photos are deleted.
    """
    requesters: list[int] = []
    async with services.database.connection() as connection:
        await connection.execute(_SET_WORDS, {"me": actor, "name": body.display_name, "bio": body.bio})
        if body.is_private is not None:
            await _set_private(connection, actor, is_private=body.is_private)
        if body.is_private is False:
            requesters = await pending_requests(connection, actor)
        if body.keep_places is not None:
            await _set_keep_locations(connection, actor, keep=body.keep_places)
    await accept_requests(services, actor, requesters)
    async with services.database.connection() as connection:
        return reply(own_json(await find_user(connection, actor), services.settings.public_url))


async def _set_private(connection: AsyncConnection[DictRow], actor: int, *, is_private: bool) -> None:
    changed = await connection.execute(
        "update users set is_private = %s where id = %s and is_private <> %s", (is_private, actor, is_private)
    )
    if changed.rowcount:
        kind = "made_private" if is_private else "made_public"
        await write_outbox(connection, [(GRAPH_CHANGED, Envelope(kind, str(actor), {"userId": actor}))])


async def _set_keep_locations(connection: AsyncConnection[DictRow], actor: int, *, keep: bool) -> None:
    await connection.execute("update users set keep_places = %s where id = %s", (keep, actor))
    if not keep:
        await connection.execute(_DELETE_LOCATIONS, (actor,))


@router.get(
    "/users/{user_id}",
    responses=returns(Profile) | NO_USER,
)
async def get_user(user_id: IdPath, services: ServicesDep, actor: ActorDep) -> Response:
    """Get a user, and the follows between you and them."""
    return await _profile(services, actor, "id = %s", decode_id(user_id))


@router.get(
    "/handles/{handle}",
    responses=returns(Profile) | NO_USER,
)
async def get_user_by_handle(handle: HandlePath, services: ServicesDep, actor: ActorDep) -> Response:
    """Get a user by their handle, and the follows between you and them."""
    wanted = handle.lower()
    if not re.fullmatch(HANDLE, wanted):  # nobody's, and PostgreSQL refuses a NUL character
        raise NotFoundError("There is no user with this id or handle.", code="user_not_found")
    return await _profile(services, actor, "handle = %s", wanted)


async def _profile(services: Services, actor: int, condition: str, value: object) -> Response:
    """The one user of a condition, as `actor` sees them."""
    async with services.database.connection() as connection:
        row = await (await connection.execute(f"{USER} where {condition}", (value,))).fetchone()
        them = {"me": actor, "them": row["id"] if row else 0}
        relation = await (await connection.execute(_RELATION, them)).fetchone() or {}
        if row is None or relation["blocks_me"]:
            raise NotFoundError("There is no user with this id or handle.", code="user_not_found")
    return reply(
        user_json(row, services.settings.public_url)
        | {
            "postCount": relation["post_count"],
            "followedByMe": relation["followed_by_me"],
            "followsMe": relation["follows_me"],
            "requestedByMe": relation["requested_by_me"],
            "blockedByMe": relation["blocked_by_me"],
            "mutedByMe": relation["muted_by_me"],
        }
    )


async def _act(services: ServicesDep, actor: int, user_id: str, action: Action) -> Response:
    them = decode_id(user_id)
    if them == actor:
        raise InvalidError("You cannot do this to yourself.", code="self")
    outcome = await services.engagement.record(
        [ClientAction(uuid7(), action, actor, datetime.now(UTC), person_id=them)], as_service=False
    )
    outcome.raise_if_refused()
    return no_content()


@router.put(
    "/users/{user_id}/follow",
    status_code=204,
    responses=sends_nothing(description="You follow them")
    | returns(FollowRequested, status=HTTPStatus.ACCEPTED)
    | refuses(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        self="You cannot do this to yourself.",
        blocked="You cannot follow a person you blocked.",
    )
    | NO_USER,
)
async def follow_user(user_id: IdPath, services: ServicesDep, actor: ActorDep) -> Response:
    """Follow a user.

    If their account is private, a follow request is sent and the reply is 202. A repeated call changes nothing.
    """
    followed = await _act(services, actor, user_id, Action.FOLLOW)
    async with services.database.connection() as connection:
        requested = await has_requested(connection, actor, decode_id(user_id))
    return reply({"requested": True}, HTTPStatus.ACCEPTED) if requested else followed


@router.delete(
    "/users/{user_id}/follow",
    status_code=204,
    responses=sends_nothing() | NOT_YOURSELF | NO_USER,
)
async def unfollow_user(user_id: IdPath, services: ServicesDep, actor: ActorDep) -> Response:
    """Unfollow a user, or withdraw your follow request."""
    return await _act(services, actor, user_id, Action.UNFOLLOW)


_BLOCK = "insert into blocks (blocker_id, blocked_id) values (%s, %s) on conflict do nothing"
_UNBLOCK = "delete from blocks where blocker_id = %s and blocked_id = %s"

# The comment count of a post is of the listed comments: those of people that its author blocked are left out.
_COUNT_COMMENTS = """
update posts set comment_count = comment_count + %(sign)s * n
from (select post_id, count(*)::integer as n from comments c join posts p on p.id = c.post_id
      where p.author_id = %(blocker)s and c.user_id = %(blocked)s group by post_id) theirs
where id = post_id
"""


async def _link(services: ServicesDep, actor: int, user_id: str, *, ends: bool = False) -> Response:
    """Begin or end a block. Who was blocked can still end their own."""
    them = decode_id(user_id)
    if them == actor:
        raise InvalidError("You cannot do this to yourself.", code="self")
    async with services.database.connection() as connection:
        await require_actor(connection, actor)
        if not ends:
            await find_user_for(connection, actor, them)
        changed = (await connection.execute(_UNBLOCK if ends else _BLOCK, (actor, them))).rowcount
        if ends and not changed:
            await find_user_for(connection, actor, them)
        if changed:
            sign = 1 if ends else -1
            await connection.execute(_COUNT_COMMENTS, {"sign": sign, "blocker": actor, "blocked": them})
    return no_content()


@router.put(
    "/users/{user_id}/block",
    status_code=204,
    responses=sends_nothing() | NOT_YOURSELF | NO_USER,
)
async def block_user(user_id: IdPath, services: ServicesDep, actor: ActorDep) -> Response:
    """Block a user: neither of you sees or follows the other, and their comments leave your posts.

    To them, you are a user who does not exist.
    """
    them = decode_id(user_id)
    blocked = await _link(services, actor, user_id)
    unfollows = [
        ClientAction(uuid7(), Action.UNFOLLOW, follower, datetime.now(UTC), person_id=followee, source=source)
        for follower, followee, source in ((actor, them, None), (them, actor, ENDED_BY_OTHER))
    ]
    await services.engagement.record(unfollows, as_service=False, past_blocks=True)
    return blocked


@router.delete(
    "/users/{user_id}/block",
    status_code=204,
    responses=sends_nothing() | NOT_YOURSELF | NO_USER,
)
async def unblock_user(user_id: IdPath, services: ServicesDep, actor: ActorDep) -> Response:
    """Unblock a user."""
    return await _link(services, actor, user_id, ends=True)


@router.put(
    "/users/{user_id}/mute",
    status_code=204,
    responses=sends_nothing() | NOT_YOURSELF | NO_USER,
)
async def mute_user(user_id: IdPath, services: ServicesDep, actor: ActorDep) -> Response:
    """Mute a user: their posts leave your feed. A follow stays."""
    return await _act(services, actor, user_id, Action.MUTE)


@router.delete(
    "/users/{user_id}/mute",
    status_code=204,
    responses=sends_nothing() | NOT_YOURSELF | NO_USER,
)
async def unmute_user(user_id: IdPath, services: ServicesDep, actor: ActorDep) -> Response:
    """Unmute a user, also one who has blocked you since."""
    return await _act(services, actor, user_id, Action.UNMUTE)
