"""What people do: the batch call of clients, and the calls about one post."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from photofeed.errors import NotFoundError
from photofeed.events import Action
from photofeed.ids import decode_id, encode_id, uuid7
from serving.api.fields import STORABLE, Moment
from serving.api.replies import no_content, reply, timestamp
from serving.engagement import ClientAction
from serving.services import ActorDep, CallerDep, Services, ServicesDep
from serving.visibility import NOT_BLOCKED

router = APIRouter(prefix="/v1", tags=["engagement"])

MOST_EVENTS = 500

Id = Annotated[str, Field(min_length=11, max_length=11)]
SlateId = Annotated[str, Field(min_length=1, max_length=64), STORABLE]
Position = Annotated[int, Field(ge=0, le=10_000)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2200), STORABLE]


class ClientEvent(BaseModel):
    """One thing somebody did. `postId` for actions on posts, `personId` for profile_visit, follow and unfollow."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    id: Annotated[str, Field(min_length=8, max_length=64, description="The client's own id; counted once"), STORABLE]
    type: Action
    occurred_at: Moment | None = None
    post_id: Id | None = None
    person_id: Id | None = None
    actor_id: Annotated[Id | None, Field(description="Services only: who did it")] = None
    slate_id: SlateId | None = None
    position: Position | None = None
    dwell_ms: Annotated[int | None, Field(ge=0, le=3_600_000)] = None
    source: Annotated[str | None, Field(max_length=32), STORABLE] = None
    text: Annotated[Words | None, Field(description="Of a comment")] = None


class EventBatch(BaseModel):
    """Up to 500 events."""

    events: Annotated[list[ClientEvent], Field(min_length=1, max_length=MOST_EVENTS)]


@router.post("/events", status_code=202)
async def post_events(body: EventBatch, services: ServicesDep, caller: CallerDep) -> Response:
    """Record a batch. 202 is a promise: what was accepted is durable; what was refused is listed with its reason."""
    now = datetime.now(UTC)
    actions = [
        ClientAction(
            id=event.id,
            action=event.type,
            actor_id=_id_or_nobody(event.actor_id) if caller.is_service else caller.user_id,
            occurred_at=event.occurred_at or now,
            post_id=_id_or_nobody(event.post_id) if event.post_id else None,
            person_id=_id_or_nobody(event.person_id) if event.person_id else None,
            slate_id=event.slate_id,
            position=event.position,
            dwell_ms=event.dwell_ms,
            source=event.source,
            text=event.text,
        )
        for event in body.events
    ]
    outcome = await services.engagement.record(actions, as_service=caller.is_service)
    refused = [{"index": r.index, "id": r.id, "code": r.code, "reason": r.reason} for r in outcome.refused]
    return reply(
        {"accepted": outcome.accepted, "unchanged": outcome.unchanged, "refused": refused}, HTTPStatus.ACCEPTED
    )


def _id_or_nobody(text: str | None) -> int:
    """An id, or 0, which nobody has: one bad id refuses its event, not the whole batch."""
    try:
        return decode_id(text or "")
    except NotFoundError:
        return 0


class Where(BaseModel):
    """Where on a slate something was done; optional."""

    model_config = ConfigDict(alias_generator=to_camel)

    slate_id: SlateId | None = None
    position: Position | None = None


class NewComment(Where):
    """A comment."""

    text: Words


_STATE = """
select like_count, save_count,
    exists (select 1 from likes where user_id = %(me)s and post_id = %(post)s) as liked,
    exists (select 1 from saves where user_id = %(me)s and post_id = %(post)s) as saved
from posts where id = %(post)s
"""


async def _act(
    services: Services, actor: int, post_id: str, action: Action, where: Where | None, text: str | None = None
) -> int:
    post = decode_id(post_id)
    where = where or Where()
    told = ClientAction(
        uuid7(),
        action,
        actor,
        datetime.now(UTC),
        post_id=post,
        slate_id=where.slate_id,
        position=where.position,
        text=text,
    )
    (await services.engagement.record([told], as_service=False)).raise_if_refused()
    return post


async def _state(services: Services, actor: int, post: int) -> Response:
    async with services.database.connection() as connection:
        row = await (await connection.execute(_STATE, {"me": actor, "post": post})).fetchone() or {}
    return reply(
        {
            "likeCount": row["like_count"],
            "saveCount": row["save_count"],
            "likedByMe": row["liked"],
            "savedByMe": row["saved"],
        }
    )


@router.put("/posts/{post_id}/like")
async def like(post_id: str, services: ServicesDep, actor: ActorDep, where: Where | None = None) -> Response:
    """Like a post; again changes nothing."""
    return await _state(services, actor, await _act(services, actor, post_id, Action.LIKE, where))


@router.delete("/posts/{post_id}/like")
async def unlike(post_id: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Take a like back."""
    return await _state(services, actor, await _act(services, actor, post_id, Action.UNLIKE, None))


@router.put("/posts/{post_id}/save")
async def save(post_id: str, services: ServicesDep, actor: ActorDep, where: Where | None = None) -> Response:
    """Keep a post for later; again changes nothing."""
    return await _state(services, actor, await _act(services, actor, post_id, Action.SAVE, where))


@router.delete("/posts/{post_id}/save")
async def unsave(post_id: str, services: ServicesDep, actor: ActorDep) -> Response:
    """Keep it no longer."""
    return await _state(services, actor, await _act(services, actor, post_id, Action.UNSAVE, None))


@router.post("/posts/{post_id}/share", status_code=202)
async def share(post_id: str, services: ServicesDep, actor: ActorDep, where: Where | None = None) -> Response:
    """Note that a post was sent on."""
    await _act(services, actor, post_id, Action.SHARE, where)
    return no_content()


@router.post("/posts/{post_id}/report", status_code=202)
async def report(post_id: str, services: ServicesDep, actor: ActorDep, where: Where | None = None) -> Response:
    """Tell us that a post should not be here; again changes nothing. Enough reports bring it before a moderator."""
    await _act(services, actor, post_id, Action.REPORT, where)
    return no_content()


@router.post("/posts/{post_id}/comments", status_code=201)
async def comment(post_id: str, body: NewComment, services: ServicesDep, actor: ActorDep) -> Response:
    """Say something about a post."""
    post = await _act(services, actor, post_id, Action.COMMENT, body, body.text)
    async with services.database.connection() as connection:
        rows = await connection.execute(
            f"{_COMMENTS} where c.post_id = %s and c.user_id = %s order by c.id desc limit 1", (post, actor)
        )
        row: Any = await rows.fetchone()
    return reply(_comment_json(row), HTTPStatus.CREATED)


_COMMENTS = """
select c.id, c.body, c.created_at, u.id as author_id, u.handle, u.display_name
from comments c join users u on u.id = c.user_id
"""
_LATEST_COMMENTS = f"""
{_COMMENTS} where c.post_id = %(post)s and {NOT_BLOCKED} order by c.id desc limit %(limit)s
"""


@router.get("/posts/{post_id}/comments")
async def comments(
    post_id: str, services: ServicesDep, actor: ActorDep, limit: Annotated[int, Field(ge=1, le=100)] = 50
) -> Response:
    """The latest comments on a post, newest first, but of whom one has blocked, or who has blocked one."""
    post = decode_id(post_id)
    await services.feed.posts.require_visible(actor, post)
    async with services.database.connection() as connection:
        rows = await connection.execute(_LATEST_COMMENTS, {"post": post, "viewer": actor, "limit": limit})
        items = [_comment_json(row) async for row in rows]
    return reply({"items": items})


def _comment_json(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": encode_id(row["id"]),
        "text": row["body"],
        "createdAt": timestamp(row["created_at"]),
        "author": {"id": encode_id(row["author_id"]), "handle": row["handle"], "displayName": row["display_name"]},
    }
