"""Who follows an account: its owner sees who does and may end it, and of a private one who asks to, and answers."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from photofeed.events import Action
from photofeed.ids import decode_id, encode_id, uuid7
from serving.api.lists import CursorText, Limit, before, page_json
from serving.api.replies import no_content, reply, timestamp
from serving.engagement import ClientAction, RecordOutcome
from serving.services import ActorDep, Services, ServicesDep

router = APIRouter(prefix="/v1", tags=["people"])

_AT_ONCE = 500
_WHO_ASKED = "select follower_id from follow_requests where followee_id = %s"
_REQUESTS = """
select u.id, u.handle, u.display_name, r.created_at, count(*) over () as total
from follow_requests r join users u on u.id = r.follower_id
where r.followee_id = %s order by r.created_at desc, u.id limit %s
"""
_FOLLOWERS = """
select u.id, u.handle, u.display_name
from follows f join users u on u.id = f.follower_id
where f.followee_id = %s and f.follower_id < %s order by f.follower_id desc limit %s
"""
_DECLINE = "delete from follow_requests where followee_id = %s and follower_id = %s"


async def who_asked(connection: AsyncConnection[DictRow], followee: int) -> list[int]:
    """Who waits to follow somebody."""
    return [row["follower_id"] async for row in await connection.execute(_WHO_ASKED, (followee,))]


async def has_asked(connection: AsyncConnection[DictRow], follower: int, followee: int) -> bool:
    """Whether one waits to follow the other."""
    rows = await connection.execute(f"{_WHO_ASKED} and follower_id = %s", (followee, follower))
    return await rows.fetchone() is not None


async def let_follow(services: Services, actor: int, followers: Sequence[int]) -> None:
    """Let those follow who asked to, so many in a transaction that others need not wait for it."""
    for start in range(0, len(followers), _AT_ONCE):
        await _say_yes(services, actor, followers[start : start + _AT_ONCE])


async def _say_yes(services: Services, actor: int, followers: Sequence[int]) -> RecordOutcome:
    now = datetime.now(UTC)
    follows = [ClientAction(uuid7(), Action.FOLLOW, one, now, person_id=actor) for one in followers]
    return await services.engagement.record(follows, as_service=False, invited=True)


@router.get("/me/follow-requests")
async def follow_requests(
    services: ServicesDep, actor: ActorDep, limit: Annotated[int, Query(ge=1, le=100)] = 50
) -> Response:
    """Who waits to follow one's private account, the last who asked first, and how many they are."""
    async with services.database.connection() as connection:
        rows = [row async for row in await connection.execute(_REQUESTS, (actor, limit))]
    items = [_person_json(row) | {"requestedAt": timestamp(row["created_at"])} for row in rows]
    return reply({"total": rows[0]["total"] if rows else 0, "items": items})


@router.put("/me/follow-requests/{user_id}", status_code=204)
async def accept_request(user_id: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Let somebody follow who asked to."""
    (await _say_yes(services, actor, [decode_id(user_id)])).raise_if_refused()
    return no_content()


@router.delete("/me/follow-requests/{user_id}", status_code=204)
async def decline_request(user_id: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Say no, of which they are not told; they may ask again. Again changes nothing."""
    async with services.database.connection() as connection:
        await connection.execute(_DECLINE, (actor, decode_id(user_id)))
    return no_content()


@router.get("/me/followers")
async def followers(services: ServicesDep, actor: ActorDep, limit: Limit = 30, cursor: CursorText = None) -> Response:
    """Who follows one, the newest accounts first; the cursor is the last person seen."""
    async with services.database.connection() as connection:
        found = await connection.execute(_FOLLOWERS, (actor, before(cursor), limit))
        people = [_person_json(row) async for row in found]
    return reply(page_json(people, limit))


@router.delete("/me/followers/{user_id}", status_code=204)
async def remove_follower(user_id: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Let somebody follow no longer, of which they are not told; again changes nothing."""
    ended = ClientAction(uuid7(), Action.UNFOLLOW, decode_id(user_id), datetime.now(UTC), person_id=actor)
    (await services.engagement.record([ended], as_service=False)).raise_if_refused()
    return no_content()


def _person_json(row: DictRow) -> dict[str, Any]:
    return {"id": encode_id(row["id"]), "handle": row["handle"], "displayName": row["display_name"]}
