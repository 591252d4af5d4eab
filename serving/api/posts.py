"""Posts: like, save, hide and share one; list a person's posts; search."""

import contextlib
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from redis.exceptions import RedisError

from photofeed.errors import NotFoundError
from photofeed.events import Action, event_id
from photofeed.ids import decode_id, uuid7
from photofeed.report_reasons import ReportReason
from photofeed.timelines import hidden_key
from serving.api.declared import BAD_CURSOR, NO_POST, NO_USER, returns, sends_nothing
from serving.api.fields import STORABLE, IdPath, SlatePosition
from serving.api.idempotency import IdempotentRoute
from serving.api.lists import CursorText, Limit, before, posts_page
from serving.api.replies import no_content, reply
from serving.api.schemas import Post, PostPage, Reactions
from serving.api.user_rows import find_user_for
from serving.engagement.actions import ClientAction
from serving.services import ActorDep, Services, ServicesDep

router = APIRouter(route_class=IdempotentRoute, prefix="/v1", tags=["posts"])


_REACTIONS = """
select like_count, save_count,
    exists (select 1 from likes where user_id = %(me)s and post_id = %(post)s) as liked,
    exists (select 1 from saves where user_id = %(me)s and post_id = %(post)s) as saved
from posts where id = %(post)s
"""


async def act(
    services: Services,
    actor: int,
    post_id: str,
    action: Action,
    at: SlatePosition | None,
    *,
    text: str | None = None,
    reply_to: int | None = None,
    reason: ReportReason = ReportReason.OTHER,
) -> str:
    """Record one action on a post; return the id of its event."""
    client_action = ClientAction(
        uuid7(),
        action,
        actor,
        datetime.now(UTC),
        post_id=decode_id(post_id),
        receipt=at.receipt if at else None,
        text=text,
        reply_to=reply_to,
        reason=reason,
    )
    (await services.engagement.record([client_action], as_service=False)).raise_if_refused()
    return event_id(actor, client_action.id)


async def _react(
    services: Services, actor: int, post_id: str, action: Action, at: SlatePosition | None = None
) -> Response:
    """Record one action on a post; reply with its likes and saves after it."""
    await act(services, actor, post_id, action, at)
    async with services.database.connection() as connection:
        rows = await connection.execute(_REACTIONS, {"me": actor, "post": decode_id(post_id)})
        row = await rows.fetchone()
    if row is None:
        raise post_gone()
    return reply(
        {
            "likeCount": row["like_count"],
            "saveCount": row["save_count"],
            "likedByMe": row["liked"],
            "savedByMe": row["saved"],
        }
    )


def post_gone() -> NotFoundError:
    """The error for a post that does not exist, was deleted meanwhile, or is hidden from the viewer."""
    return NotFoundError("There is no such post, or you may not see it.", code="post_not_found")


@router.get(
    "/posts/{post_id}",
    responses=returns(Post) | NO_POST,
)
async def get_post(post_id: IdPath, services: ServicesDep, actor: ActorDep) -> Response:
    """Get a post with its counts."""
    post = decode_id(post_id)
    found = await services.posts.by_ids(actor, [post])
    if post not in found:
        raise post_gone()
    return reply(found[post].fragment)


@router.put(
    "/posts/{post_id}/like",
    responses=returns(Reactions) | NO_POST,
)
async def like_post(
    post_id: IdPath, services: ServicesDep, actor: ActorDep, at: SlatePosition | None = None
) -> Response:
    """Like a post. A repeated like changes nothing."""
    return await _react(services, actor, post_id, Action.LIKE, at)


@router.delete(
    "/posts/{post_id}/like",
    responses=returns(Reactions) | NO_POST,
)
async def unlike_post(post_id: IdPath, services: ServicesDep, actor: ActorDep) -> Response:
    """Remove your like from a post."""
    return await _react(services, actor, post_id, Action.UNLIKE)


@router.put(
    "/posts/{post_id}/save",
    responses=returns(Reactions) | NO_POST,
)
async def save_post(
    post_id: IdPath, services: ServicesDep, actor: ActorDep, at: SlatePosition | None = None
) -> Response:
    """Save a post for later. A repeated save changes nothing."""
    return await _react(services, actor, post_id, Action.SAVE, at)


@router.delete(
    "/posts/{post_id}/save",
    responses=returns(Reactions) | NO_POST,
)
async def unsave_post(post_id: IdPath, services: ServicesDep, actor: ActorDep) -> Response:
    """Remove a post from your saved posts."""
    return await _react(services, actor, post_id, Action.UNSAVE)


@router.post(
    "/posts/{post_id}/share",
    status_code=204,
    responses=sends_nothing() | NO_POST,
)
async def share_post(
    post_id: IdPath, services: ServicesDep, actor: ActorDep, at: SlatePosition | None = None
) -> Response:
    """Record that you shared a post."""
    await act(services, actor, post_id, Action.SHARE, at)
    return no_content()


@router.put(
    "/posts/{post_id}/hide",
    status_code=204,
    responses=sends_nothing() | NO_POST,
)
async def hide_post(post_id: str, services: ServicesDep, actor: ActorDep, at: SlatePosition | None = None) -> Response:
    """Hide a post. Your feed shows less of its author, its topic and similar photos from the next request on."""
    await act(services, actor, post_id, Action.HIDE, at)
    return no_content()


@router.delete(
    "/posts/{post_id}/hide",
    status_code=204,
    responses=sends_nothing() | NO_POST,
)
async def unhide_post(post_id: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Take back a hide: the next feed is as if the post had not been hidden."""
    await act(services, actor, post_id, Action.UNHIDE, None)
    with contextlib.suppress(RedisError):  # otherwise the features worker removes it, a moment later
        await services.redis.srem(hidden_key(actor), decode_id(post_id))
    return no_content()


@router.get(
    "/users/{user_id}/posts",
    responses=returns(PostPage) | BAD_CURSOR | NO_USER,
)
async def list_posts_of_user(
    user_id: IdPath, services: ServicesDep, actor: ActorDep, limit: Limit = 30, cursor: CursorText = None
) -> Response:
    """List a person's posts, newest first."""
    author = decode_id(user_id)
    async with services.database.connection() as connection:
        await find_user_for(connection, actor, author)
    posts = await services.posts.by_author(actor, author, before=before(cursor), limit=limit + 1)
    return reply(posts_page(posts, limit))


@router.get(
    "/search",
    responses=returns(PostPage) | BAD_CURSOR,
)
async def search_posts(
    services: ServicesDep,
    actor: ActorDep,
    q: Annotated[
        str,
        Query(min_length=1, max_length=200, description='Words or beginnings of words; also "a phrase", or, -not'),
        STORABLE,
    ],
    limit: Limit = 30,
    cursor: CursorText = None,
) -> Response:
    """Search posts by the words of their caption and tags, newest first."""
    posts = await services.posts.by_words(actor, q, before=before(cursor), limit=limit + 1)
    return reply(posts_page(posts, limit))
