"""Lists of people: followers and followed accounts, likes of a post, blocks and mutes; and people search."""

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from photofeed.errors import ForbiddenError
from photofeed.ids import decode_id
from serving.api.declared import BAD_CURSOR, NO_POST, NO_USER, refuses, returns
from serving.api.fields import VISIBLE, IdPath
from serving.api.lists import CursorText, Limit, before, before_moment, moment_cursor, page_json, page_of
from serving.api.replies import reply
from serving.api.schemas import PersonPage
from serving.api.user_rows import find_user_for
from serving.people_json import person_json
from serving.services import ActorDep, Services, ServicesDep
from serving.visibility import NOT_BLOCKED

router = APIRouter(prefix="/v1", tags=["people"])

_FOLLOWING = f"""
select u.id, u.handle, u.display_name, u.avatar_id from follows f join users u on u.id = f.followee_id
where f.follower_id = %(of)s and f.followee_id < %(before)s and {NOT_BLOCKED}
order by f.followee_id desc limit %(limit)s
"""  # noqa: S608  constants
_FOLLOWERS = f"""
select u.id, u.handle, u.display_name, u.avatar_id from follows f join users u on u.id = f.follower_id
where f.followee_id = %(of)s and f.follower_id < %(before)s and {NOT_BLOCKED}
order by f.follower_id desc limit %(limit)s
"""  # noqa: S608  constants
_BLOCKED = """
select u.id, u.handle, u.display_name, u.avatar_id from blocks b join users u on u.id = b.blocked_id
where b.blocker_id = %(viewer)s and b.blocked_id < %(before)s order by b.blocked_id desc limit %(limit)s
"""
_MUTED = """
select u.id, u.handle, u.display_name, u.avatar_id from mutes m join users u on u.id = m.muted_id
where m.muter_id = %(viewer)s and m.muted_id < %(before)s order by m.muted_id desc limit %(limit)s
"""
_LIKED = f"""
select u.id, u.handle, u.display_name, u.avatar_id, l.created_at from likes l join users u on u.id = l.user_id
where l.post_id = %(post)s and (l.created_at, l.user_id) < (%(moment)s, %(before)s) and {NOT_BLOCKED}
order by l.created_at desc, l.user_id desc limit %(limit)s
"""  # noqa: S608  constants
_NAMED = f"""
select u.id, u.handle, u.display_name, u.avatar_id from users u
where (u.handle like %(prefix)s or lower(u.display_name) like %(prefix)s) and u.handle > %(after)s and {NOT_BLOCKED}
order by u.handle limit %(limit)s
"""  # noqa: S608  constants
_IS_SHOWN = """
select not u.is_private or u.id = %(viewer)s or exists (
    select 1 from follows f where f.follower_id = %(viewer)s and f.followee_id = u.id) as shown
from users u where u.id = %(of)s
"""
_PRIVATE = refuses(
    HTTPStatus.FORBIDDEN,
    private_account="Only followers of a private account see its followers and the accounts it follows.",
    forbidden="Only a service may act for another user.",
)


async def _people(services: Services, statement: str, arguments: Mapping[str, Any], limit: int) -> Response:
    async with services.database.connection() as connection:
        rows = await (await connection.execute(statement, {**arguments, "limit": limit + 1})).fetchall()
    return reply(page_json([person_json(row, services.settings.public_url) for row in rows], limit))


async def _people_around(
    services: Services, statement: str, actor: int, user_id: str, limit: int, cursor: str | None
) -> Response:
    """The followers of a person, or the accounts they follow.

    Raises:
        NotFoundError: there is no such person.
        ForbiddenError: their account is private, and the caller does not follow it.
    """
    of = decode_id(user_id)
    async with services.database.connection() as connection:
        await find_user_for(connection, actor, of)
        row = await (await connection.execute(_IS_SHOWN, {"viewer": actor, "of": of})).fetchone()
    if row is None or not row["shown"]:
        detail = "Only followers of a private account see its followers and the accounts it follows."
        raise ForbiddenError(detail, code="private_account")
    return await _people(services, statement, {"viewer": actor, "of": of, "before": before(cursor)}, limit)


@router.get(
    "/users/{user_id}/following",
    responses=returns(PersonPage) | BAD_CURSOR | NO_USER | _PRIVATE,
)
async def list_following_of_user(
    user_id: IdPath, services: ServicesDep, actor: ActorDep, limit: Limit = 30, cursor: CursorText = None
) -> Response:
    """List the accounts that a person follows, the newest accounts first.

    People you blocked, or who blocked you, are left out.
    """
    return await _people_around(services, _FOLLOWING, actor, user_id, limit, cursor)


@router.get(
    "/users/{user_id}/followers",
    responses=returns(PersonPage) | BAD_CURSOR | NO_USER | _PRIVATE,
)
async def list_followers_of_user(
    user_id: IdPath, services: ServicesDep, actor: ActorDep, limit: Limit = 30, cursor: CursorText = None
) -> Response:
    """List a person's followers, the newest accounts first.

    People you blocked, or who blocked you, are left out.
    """
    return await _people_around(services, _FOLLOWERS, actor, user_id, limit, cursor)


@router.get(
    "/me/following",
    responses=returns(PersonPage) | BAD_CURSOR,
)
async def list_following(
    services: ServicesDep, actor: ActorDep, limit: Limit = 30, cursor: CursorText = None
) -> Response:
    """List the accounts you follow, the newest accounts first."""
    return await _people(services, _FOLLOWING, {"viewer": actor, "of": actor, "before": before(cursor)}, limit)


@router.get(
    "/me/blocks",
    responses=returns(PersonPage) | BAD_CURSOR,
)
async def list_blocks(services: ServicesDep, actor: ActorDep, limit: Limit = 30, cursor: CursorText = None) -> Response:
    """List the accounts you blocked, the newest accounts first."""
    return await _people(services, _BLOCKED, {"viewer": actor, "before": before(cursor)}, limit)


@router.get(
    "/me/mutes",
    responses=returns(PersonPage) | BAD_CURSOR,
)
async def list_mutes(services: ServicesDep, actor: ActorDep, limit: Limit = 30, cursor: CursorText = None) -> Response:
    """List the accounts you muted, the newest accounts first."""
    return await _people(services, _MUTED, {"viewer": actor, "before": before(cursor)}, limit)


@router.get(
    "/posts/{post_id}/likes",
    responses=returns(PersonPage) | BAD_CURSOR | NO_POST,
)
async def list_likes_of_post(
    post_id: IdPath, services: ServicesDep, actor: ActorDep, limit: Limit = 30, cursor: CursorText = None
) -> Response:
    """List who liked a post, newest likes first.

    People you blocked, or who blocked you, are left out.
    """
    post = decode_id(post_id)
    await services.posts.require_visible(actor, post)
    moment, user = before_moment(cursor)
    page = {"post": post, "viewer": actor, "moment": moment, "before": user, "limit": limit + 1}
    async with services.database.connection() as connection:
        rows = await (await connection.execute(_LIKED, page)).fetchall()
    show = partial(person_json, public_url=services.settings.public_url)
    return reply(page_of(rows, limit, show, lambda row: moment_cursor(row["created_at"], row["id"])))


@router.get(
    "/people",
    responses=returns(PersonPage) | BAD_CURSOR,
)
async def search_people(
    services: ServicesDep,
    actor: ActorDep,
    q: Annotated[
        str, Query(min_length=1, max_length=80, description="How the handle or the display name begins"), VISIBLE
    ],
    limit: Limit = 30,
    cursor: CursorText = None,
) -> Response:
    """Find people by the beginning of their handle or display name, by handle.

    People you blocked, or who blocked you, are left out.
    """
    begins = q.strip().removeprefix("@").lower()
    prefix = begins.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    after = await _handle_of(services, before(cursor)) if cursor else ""
    arguments = {"viewer": actor, "prefix": prefix, "after": after}
    return await _people(services, _NAMED, arguments, limit)


async def _handle_of(services: Services, user: int) -> str:
    """The handle of the last person of the page before; the list goes on from the start if it is gone."""
    async with services.database.connection() as connection:
        row = await (await connection.execute("select handle from users where id = %s", (user,))).fetchone()
    return row["handle"] if row else ""
