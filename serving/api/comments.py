"""Comments: write, answer, edit, list and delete them."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict, Field

from photofeed.errors import ForbiddenError, NotFoundError
from photofeed.events import Action
from photofeed.ids import decode_id, encode_id
from photofeed.notifications import OF_COMMENT_MENTIONS
from photofeed.tokens import MODERATOR
from serving.api.declared import BAD_CURSOR, NO_POST, refuses, returns, sends_nothing
from serving.api.fields import CommentText, EncodedId, IdPath, SlatePosition
from serving.api.idempotency import IdempotentRoute
from serving.api.lists import CursorText, Limit, before, page_json
from serving.api.posts import act, post_gone
from serving.api.replies import no_content, reply
from serving.api.schemas import Comment, CommentPage
from serving.engagement.notifying import notify
from serving.people_json import person_json
from serving.services import ActorDep, CallerDep, ServicesDep
from serving.times import timestamp
from serving.visibility import NOT_BLOCKED

router = APIRouter(route_class=IdempotentRoute, prefix="/v1", tags=["posts"])

_COMMENTS = """
select c.id, c.body, c.created_at, c.reply_to, c.edited_at, u.id as author_id, u.handle, u.display_name, u.avatar_id
from comments c join users u on u.id = c.user_id
"""
# A block also hides comments on the blocker's posts, from everybody.
_SHOWN = f"""{NOT_BLOCKED} and not exists (
    select 1 from posts p join blocks theirs on theirs.blocker_id = p.author_id
    where p.id = c.post_id and theirs.blocked_id = c.user_id)"""  # noqa: S608  a constant
_NEWEST_COMMENTS = f"""
{_COMMENTS} where c.post_id = %(post)s and c.id < %(before)s and {_SHOWN}
    and (%(reply_to)s::bigint is null or c.reply_to = %(reply_to)s)
order by c.id desc limit %(limit)s
"""
_FIND = f"{_COMMENTS} where c.id = %(comment)s and c.post_id = %(post)s and {_SHOWN}"
_EDIT = "update comments set body = %(text)s, edited_at = now() where id = %(comment)s and body <> %(text)s"
NO_COMMENT = refuses(
    HTTPStatus.NOT_FOUND,
    post_not_found="There is no such post, or you may not see it.",
    comment_not_found="There is no such comment on this post, or you may not see it.",
)


class NewComment(SlatePosition):
    """A comment, and where the post was shown."""

    text: CommentText
    reply_to: Annotated[EncodedId | None, Field(description="The comment on the same post that this one answers")] = (
        None
    )


class CommentEdit(BaseModel):
    """The new text of a comment."""

    model_config = ConfigDict(extra="forbid")

    text: CommentText


async def find_comment(connection: AsyncConnection[DictRow], actor: int, post: int, comment: int) -> DictRow:
    """A comment on a post that the actor sees.

    Raises:
        NotFoundError: there is none.
    """
    row = await (await connection.execute(_FIND, {"comment": comment, "post": post, "viewer": actor})).fetchone()
    if row is None:
        raise NotFoundError("There is no such comment on this post, or you may not see it.", code="comment_not_found")
    return row


@router.post(
    "/posts/{post_id}/comments",
    status_code=201,
    responses=returns(Comment, status=HTTPStatus.CREATED) | NO_COMMENT,
)
async def create_comment(post_id: IdPath, body: NewComment, services: ServicesDep, actor: ActorDep) -> Response:
    """Comment on a post, or answer a comment on it."""
    answered = None
    if body.reply_to is not None:
        answered = decode_id(body.reply_to)
        await services.posts.require_visible(actor, decode_id(post_id))
        async with services.database.connection() as connection:
            await find_comment(connection, actor, decode_id(post_id), answered)
    event = await act(services, actor, post_id, Action.COMMENT, body, text=body.text, reply_to=answered)
    async with services.database.connection() as connection:
        row = await (await connection.execute(f"{_COMMENTS} where c.event_id = %s", (event,))).fetchone()
    if row is None:
        raise post_gone()
    return reply(_comment_json(row, services.settings.public_url), HTTPStatus.CREATED)


@router.patch(
    "/posts/{post_id}/comments/{comment_id}",
    responses=returns(Comment)
    | NO_COMMENT
    | refuses(
        HTTPStatus.FORBIDDEN,
        not_yours="Only its author can edit a comment.",
        forbidden="Only a service may act for another user.",
    ),
)
async def edit_comment(
    post_id: IdPath, comment_id: IdPath, body: CommentEdit, services: ServicesDep, actor: ActorDep
) -> Response:
    """Edit your comment; it then shows when."""
    post, comment = decode_id(post_id), decode_id(comment_id)
    await services.posts.require_visible(actor, post)
    async with services.database.connection() as connection:
        if (await find_comment(connection, actor, post, comment))["author_id"] != actor:
            raise ForbiddenError("Only its author can edit a comment.", code="not_yours")
        await connection.execute(_EDIT, {"comment": comment, "text": body.text})
        told = await notify(connection, OF_COMMENT_MENTIONS, comment=comment)
        edited = await find_comment(connection, actor, post, comment)
    await services.signals.publish(told)
    return reply(_comment_json(edited, services.settings.public_url))


@router.get(
    "/posts/{post_id}/comments",
    responses=returns(CommentPage) | BAD_CURSOR | NO_POST,
)
async def list_comments(
    post_id: IdPath,
    services: ServicesDep,
    actor: ActorDep,
    reply_to: Annotated[
        EncodedId | None, Query(alias="replyTo", description="Only the answers to this comment")
    ] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Response:
    """List the comments on a post, newest first, also the answers.

    Comments by people you blocked, or who blocked you, are left out. Nobody sees comments by people that the author
    of the post blocked.
    """
    post = decode_id(post_id)
    await services.posts.require_visible(actor, post)
    page = {
        "post": post,
        "viewer": actor,
        "before": before(cursor),
        "reply_to": decode_id(reply_to) if reply_to else None,
        "limit": limit + 1,
    }
    async with services.database.connection() as connection:
        rows = await connection.execute(_NEWEST_COMMENTS, page)
        items = [_comment_json(row, services.settings.public_url) async for row in rows]
    return reply(page_json(items, limit))


DELETE_COMMENT = """
with deleted as (
    delete from comments c using posts p
    where c.id = %(comment)s and c.post_id = %(post)s and p.id = c.post_id
        and (c.user_id = %(me)s or p.author_id = %(me)s or %(moderates)s)
    returning c.post_id, c.user_id, p.author_id)
update posts set comment_count = comment_count - case when exists (
    select 1 from blocks where blocker_id = deleted.author_id and blocked_id = deleted.user_id) then 0 else 1 end
from deleted where id = deleted.post_id
"""


@router.delete(
    "/posts/{post_id}/comments/{comment_id}",
    status_code=204,
    responses=sends_nothing()
    | refuses(HTTPStatus.NOT_FOUND, comment_not_found="There is no such comment, or you may not delete it."),
)
async def delete_comment(
    post_id: IdPath, comment_id: IdPath, services: ServicesDep, caller: CallerDep, actor: ActorDep
) -> Response:
    """Delete a comment: your own, one on your post or, as a moderator, any."""
    which = {"comment": decode_id(comment_id), "post": decode_id(post_id)}
    may = {"me": actor, "moderates": MODERATOR in caller.scopes}
    async with services.database.connection() as connection:
        if not (await connection.execute(DELETE_COMMENT, which | may)).rowcount:
            raise NotFoundError("There is no such comment, or you may not delete it.", code="comment_not_found")
    return no_content()


def _comment_json(row: DictRow, public_url: str) -> dict[str, Any]:
    return {
        "id": encode_id(row["id"]),
        "text": row["body"],
        "createdAt": timestamp(row["created_at"]),
        "editedAt": timestamp(row["edited_at"]) if row["edited_at"] else None,
        "replyTo": encode_id(row["reply_to"]) if row["reply_to"] else None,
        "author": person_json({**row, "id": row["author_id"]}, public_url),
    }
