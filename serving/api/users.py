"""People: who they are, and whom they follow, block and mute."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import Response
from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from photofeed.database import write_outbox
from photofeed.errors import ConflictError, InvalidError, NotFoundError
from photofeed.events import Action, Envelope
from photofeed.ids import decode_id, encode_id, uuid7
from photofeed.topics import GRAPH_CHANGED
from serving.api.fields import STORABLE, CreationMoment
from serving.api.followers import has_asked, let_follow, who_asked
from serving.api.replies import no_content, reply, timestamp
from serving.engagement import ClientAction
from serving.services import ActorDep, ServiceCallerDep, ServicesDep

router = APIRouter(prefix="/v1", tags=["people"])


class NewUser(BaseModel):
    """A person to add, as the identity provider knows them."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    handle: Annotated[str, Field(pattern=r"^[a-z0-9_.]{2,30}$", description="Unique, lower case")]
    display_name: Annotated[str, Field(min_length=1, max_length=80), STORABLE]
    is_private: bool = False
    created_at: CreationMoment | None = None


_USER = """
select id, handle, display_name, is_private, follower_count, following_count, keep_places, created_at from users
"""

_RELATION = """
select (select count(*) from posts where author_id = %(them)s and visible) as post_count,
       exists (select 1 from follows where follower_id = %(me)s and followee_id = %(them)s) as followed_by_me,
       exists (select 1 from follows where follower_id = %(them)s and followee_id = %(me)s) as follows_me,
       exists (select 1 from follow_requests where follower_id = %(me)s and followee_id = %(them)s) as requested_by_me
"""


def user_json(row: DictRow) -> dict[str, Any]:
    """A person as the API shows them."""
    return {
        "id": encode_id(row["id"]),
        "handle": row["handle"],
        "displayName": row["display_name"],
        "isPrivate": row["is_private"],
        "followerCount": row["follower_count"],
        "followingCount": row["following_count"],
        "createdAt": timestamp(row["created_at"]),
    }


def own_json(row: DictRow) -> dict[str, Any]:
    """A person as the API shows them to themselves."""
    return user_json(row) | {"keepPlaces": row["keep_places"]}


async def find_user(connection: AsyncConnection[DictRow], user_id: int) -> DictRow:
    """A person's row.

    Raises:
        NotFoundError: nobody has that id.
    """
    row = await (await connection.execute(f"{_USER} where id = %s", (user_id,))).fetchone()
    if row is None:
        raise NotFoundError("There is nobody with this id.", code="user_not_found")
    return row


@router.post("/users", status_code=201)
async def create_user(body: NewUser, services: ServicesDep, caller: ServiceCallerDep) -> Response:  # noqa: ARG001
    """Add a person (services only: people themselves come from the identity provider)."""
    created_at = body.created_at or datetime.now(UTC)
    user_id = services.ids.at(created_at) if body.created_at else services.ids.next()
    async with services.database.connection() as connection:
        try:
            await connection.execute(
                "insert into users (id, handle, display_name, is_private, created_at) values (%s, %s, %s, %s, %s)",
                (user_id, body.handle, body.display_name, body.is_private, created_at),
            )
        except UniqueViolation as error:
            raise ConflictError(f"The handle {body.handle!r} is taken.", code="handle_taken") from error
        row = await find_user(connection, user_id)
    return reply(user_json(row), HTTPStatus.CREATED)


@router.get("/me")
async def me(services: ServicesDep, actor: ActorDep) -> Response:
    """The person whose token this is."""
    async with services.database.connection() as connection:
        return reply(own_json(await find_user(connection, actor)))


class Privacy(BaseModel):
    """Who may see one's posts, and what is kept of one's photos; what is left out stays as it is."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    is_private: Annotated[bool | None, Field(description="Only followers see the posts of a private account")] = None
    keep_places: Annotated[
        bool | None, Field(description="Keep where photos uploaded from now on were taken, for their owner's eyes only")
    ] = None


_FORGET_PLACES = """
update photo_metadata m set latitude = null, longitude = null from photos p
where p.id = m.photo_id and p.owner_id = %s and m.latitude is not null
"""


@router.patch("/me")
async def change_privacy(body: Privacy, services: ServicesDep, actor: ActorDep) -> Response:
    """Make one's account private or public: posts leave or join what strangers explore. Keep places, or forget all.

    Who asked to follow a private account follows it once it is public.
    """
    waiting: list[int] = []
    async with services.database.connection() as connection:
        if body.is_private is not None:
            await _show_account(connection, actor, is_private=body.is_private)
        if body.is_private is False:
            waiting = await who_asked(connection, actor)
        if body.keep_places is not None:
            await _keep_places(connection, actor, keep=body.keep_places)
    await let_follow(services, actor, waiting)
    async with services.database.connection() as connection:
        return reply(own_json(await find_user(connection, actor)))


async def _show_account(connection: AsyncConnection[DictRow], actor: int, *, is_private: bool) -> None:
    changed = await connection.execute(
        "update users set is_private = %s where id = %s and is_private <> %s", (is_private, actor, is_private)
    )
    if changed.rowcount:
        kind = "made_private" if is_private else "made_public"
        await write_outbox(connection, [(GRAPH_CHANGED, Envelope(kind, str(actor), {"userId": actor}))])


async def _keep_places(connection: AsyncConnection[DictRow], actor: int, *, keep: bool) -> None:
    await connection.execute("update users set keep_places = %s where id = %s", (keep, actor))
    if not keep:
        await connection.execute(_FORGET_PLACES, (actor,))


@router.get("/users/{user_id}")
async def get_user(user_id: str, services: ServicesDep, actor: ActorDep) -> Response:
    """A person, and what is between them and the caller."""
    them = decode_id(user_id)
    async with services.database.connection() as connection:
        row = await find_user(connection, them)
        relation = await (await connection.execute(_RELATION, {"me": actor, "them": them})).fetchone() or {}
    return reply(
        user_json(row)
        | {
            "postCount": relation["post_count"],
            "followedByMe": relation["followed_by_me"],
            "followsMe": relation["follows_me"],
            "requestedByMe": relation["requested_by_me"],
        }
    )


async def _act(services: ServicesDep, actor: int, user_id: str, action: Action) -> Response:
    them = decode_id(user_id)
    if them == actor:
        raise InvalidError("Nobody can do this with themselves.", code="self")
    outcome = await services.engagement.record(
        [ClientAction(uuid7(), action, actor, datetime.now(UTC), person_id=them)], as_service=False
    )
    outcome.raise_if_refused()
    return no_content()


@router.put("/users/{user_id}/follow", status_code=204, responses={202: {"description": "They were asked"}})
async def follow(user_id: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Follow a person, or ask to where their account is private: then the answer is 202. Again changes nothing."""
    done = await _act(services, actor, user_id, Action.FOLLOW)
    async with services.database.connection() as connection:
        is_asked = await has_asked(connection, actor, decode_id(user_id))
    return reply({"requested": True}, HTTPStatus.ACCEPTED) if is_asked else done


@router.delete("/users/{user_id}/follow", status_code=204)
async def unfollow(user_id: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Stop following a person, or take back that one asked to."""
    return await _act(services, actor, user_id, Action.UNFOLLOW)


_LINKS = {
    "block": (
        "insert into blocks (blocker_id, blocked_id) values (%s, %s) on conflict do nothing",
        "delete from blocks where blocker_id = %s and blocked_id = %s",
    ),
    "mute": (
        "insert into mutes (muter_id, muted_id) values (%s, %s) on conflict do nothing",
        "delete from mutes where muter_id = %s and muted_id = %s",
    ),
}


async def _link(services: ServicesDep, actor: int, user_id: str, statement: str) -> Response:
    them = decode_id(user_id)
    if them == actor:
        raise InvalidError("Nobody can do this with themselves.", code="self")
    async with services.database.connection() as connection:
        await find_user(connection, them)
        await connection.execute(statement, (actor, them))
    return no_content()


@router.put("/users/{user_id}/block", status_code=204)
async def block(user_id: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Neither sees the other any more, and neither follows the other."""
    them = decode_id(user_id)
    done = await _link(services, actor, user_id, _LINKS["block"][0])
    ends = [
        ClientAction(uuid7(), Action.UNFOLLOW, one, datetime.now(UTC), person_id=other)
        for one, other in ((actor, them), (them, actor))
    ]
    await services.engagement.record(ends, as_service=False)
    return done


@router.delete("/users/{user_id}/block", status_code=204)
async def unblock(user_id: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Lift a block."""
    return await _link(services, actor, user_id, _LINKS["block"][1])


@router.put("/users/{user_id}/mute", status_code=204)
async def mute(user_id: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Keep following, but see none of their posts in the feed."""
    return await _link(services, actor, user_id, _LINKS["mute"][0])


@router.delete("/users/{user_id}/mute", status_code=204)
async def unmute(user_id: str, services: ServicesDep, actor: ActorDep) -> Response:
    """See their posts again."""
    return await _link(services, actor, user_id, _LINKS["mute"][1])
