"""Followers of your own account: list and remove them, and answer follow requests of a private account."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from photofeed.events import ENDED_BY_OTHER, Action
from photofeed.ids import decode_id, uuid7
from serving.api.declared import BAD_CURSOR, NO_USER, NOT_YOURSELF, refuses, returns, sends_nothing
from serving.api.fields import IdPath
from serving.api.lists import CursorText, Limit, before, before_moment, moment_cursor, page_json, page_of
from serving.api.replies import no_content, reply
from serving.api.schemas import FollowRequestPage, PersonPage
from serving.api.user_rows import find_user_for
from serving.engagement.actions import ClientAction, RecordOutcome
from serving.people_json import person_json
from serving.services import ActorDep, Services, ServicesDep
from serving.times import timestamp

router = APIRouter(prefix="/v1", tags=["people"])

_BATCH = 500
_PENDING_REQUESTS = "select follower_id from follow_requests where followee_id = %s"
_REQUESTS = """
select u.id, u.handle, u.display_name, u.avatar_id, r.created_at
from follow_requests r join users u on u.id = r.follower_id
where r.followee_id = %s and (r.created_at, r.follower_id) < (%s, %s)
order by r.created_at desc, r.follower_id desc limit %s
"""
_REQUEST_COUNT = "select count(*) as total from follow_requests where followee_id = %s"
_FOLLOWERS = """
select u.id, u.handle, u.display_name, u.avatar_id
from follows f join users u on u.id = f.follower_id
where f.followee_id = %s and f.follower_id < %s order by f.follower_id desc limit %s
"""
_DECLINE = "delete from follow_requests where followee_id = %s and follower_id = %s"


async def pending_requests(connection: AsyncConnection[DictRow], followee: int) -> list[int]:
    """Ids of the users who have asked to follow an account."""
    return [row["follower_id"] async for row in await connection.execute(_PENDING_REQUESTS, (followee,))]


async def has_requested(connection: AsyncConnection[DictRow], follower: int, followee: int) -> bool:
    """Whether a follow request is pending."""
    rows = await connection.execute(f"{_PENDING_REQUESTS} and follower_id = %s", (followee, follower))
    return await rows.fetchone() is not None


async def accept_requests(services: Services, actor: int, followers: Sequence[int]) -> None:
    """Accept follow requests, in transactions small enough that other calls do not wait long for their locks."""
    for start in range(0, len(followers), _BATCH):
        await _accept(services, actor, followers[start : start + _BATCH])


async def _accept(services: Services, actor: int, followers: Sequence[int]) -> RecordOutcome:
    now = datetime.now(UTC)
    follows = [ClientAction(uuid7(), Action.FOLLOW, follower, now, person_id=actor) for follower in followers]
    return await services.engagement.record(follows, as_service=False, accepts_requests=True)


@router.get(
    "/me/follow-requests",
    responses=returns(FollowRequestPage) | BAD_CURSOR,
)
async def list_follow_requests(
    services: ServicesDep, actor: ActorDep, limit: Limit = 30, cursor: CursorText = None
) -> Response:
    """List pending requests to follow your private account, newest first, with their total number."""
    moment, user_id = before_moment(cursor)
    async with services.database.connection() as connection:
        found = await connection.execute(_REQUESTS, (actor, moment, user_id, limit + 1))
        rows = [row async for row in found]
        count = await (await connection.execute(_REQUEST_COUNT, (actor,))).fetchone() or {"total": 0}
    show = partial(_request_json, public_url=services.settings.public_url)
    page = page_of(rows, limit, show, lambda row: moment_cursor(row["created_at"], row["id"]))
    return reply({"total": count["total"]} | page)


def _request_json(row: DictRow, public_url: str) -> dict[str, Any]:
    return person_json(row, public_url) | {"requestedAt": timestamp(row["created_at"])}


@router.put(
    "/me/follow-requests/{user_id}",
    status_code=204,
    responses=sends_nothing()
    | refuses(HTTPStatus.NOT_FOUND, request_not_found="This person has no pending request to follow you.")
    | refuses(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        self="You cannot do this to yourself.",
        blocked="You cannot follow a person you blocked.",
    ),
)
async def accept_follow_request(user_id: IdPath, services: ServicesDep, actor: ActorDep) -> Response:
    """Accept a follow request."""
    (await _accept(services, actor, [decode_id(user_id)])).raise_if_refused()
    return no_content()


@router.delete(
    "/me/follow-requests/{user_id}",
    status_code=204,
    responses=sends_nothing(),
)
async def decline_follow_request(user_id: IdPath, services: ServicesDep, actor: ActorDep) -> Response:
    """Decline a follow request.

    The requester is not notified and may ask again. A repeated call changes nothing.
    """
    async with services.database.connection() as connection:
        await connection.execute(_DECLINE, (actor, decode_id(user_id)))
    return no_content()


@router.get(
    "/me/followers",
    responses=returns(PersonPage) | BAD_CURSOR,
)
async def list_followers(
    services: ServicesDep, actor: ActorDep, limit: Limit = 30, cursor: CursorText = None
) -> Response:
    """List your followers, the newest accounts first."""
    async with services.database.connection() as connection:
        found = await connection.execute(_FOLLOWERS, (actor, before(cursor), limit + 1))
        people = [person_json(row, services.settings.public_url) async for row in found]
    return reply(page_json(people, limit))


@router.delete(
    "/me/followers/{user_id}",
    status_code=204,
    responses=sends_nothing() | NOT_YOURSELF | NO_USER,
)
async def remove_follower(user_id: IdPath, services: ServicesDep, actor: ActorDep) -> Response:
    """Remove a follower.

    The follower is not notified. A repeated call changes nothing.
    """
    async with services.database.connection() as connection:
        await find_user_for(connection, actor, decode_id(user_id))
    follower, now = decode_id(user_id), datetime.now(UTC)
    unfollow = ClientAction(uuid7(), Action.UNFOLLOW, follower, now, person_id=actor, source=ENDED_BY_OTHER)
    (await services.engagement.record([unfollow], as_service=False)).raise_if_refused()
    return no_content()
