"""Reports of posts, comments and people, each with a reason. Each person reports a thing once.

Moderators see how many people reported something and why, and nobody sees who they are.
"""

from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.responses import Response
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict, Field

from photofeed.errors import InvalidError, NotFoundError
from photofeed.events import Action
from photofeed.ids import decode_id
from photofeed.report_reasons import MEANINGS, ReportReason
from serving.api.comments import NO_COMMENT, find_comment
from serving.api.declared import NO_POST, NO_USER, NOT_YOURSELF, returns
from serving.api.fields import STORABLE, IdPath, SlatePosition
from serving.api.idempotency import IdempotentRoute
from serving.api.posts import act, post_gone
from serving.api.replies import reply
from serving.api.schemas import Report
from serving.api.user_rows import find_user_for, require_actor
from serving.services import ActorDep, ServicesDep
from serving.times import timestamp

router = APIRouter(route_class=IdempotentRoute, prefix="/v1", tags=["reports"])

MOST_CHARACTERS = 1000

_REASONS = "; ".join(f"`{reason}`: {meaning}" for reason, meaning in MEANINGS.items())
Reason = Annotated[ReportReason, Field(description=f"What is wrong. {_REASONS}")]
Details = Annotated[
    str, Field(max_length=MOST_CHARACTERS, description="More about it, in the reporter's own words"), STORABLE
]


class NewReport(BaseModel):
    """Why something is reported."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason = ReportReason.OTHER
    text: Details = ""


class NewPostReport(SlatePosition):
    """Why a post is reported, and where it was shown."""

    reason: Reason = ReportReason.OTHER
    text: Details = ""


_OF_POST = "select reason, details, created_at from reports where user_id = %s and post_id = %s"
_ADD_OF_COMMENT = """
insert into comment_reports (user_id, comment_id, reason, details) values (%s, %s, %s, %s) on conflict do nothing
"""
_OF_COMMENT = "select reason, details, created_at from comment_reports where user_id = %s and comment_id = %s"
_ADD_OF_PERSON = """
insert into person_reports (user_id, person_id, reason, details) values (%s, %s, %s, %s) on conflict do nothing
"""
_OF_PERSON = "select reason, details, created_at from person_reports where user_id = %s and person_id = %s"

Kind = Literal["post", "comment", "person"]


@router.post(
    "/posts/{post_id}/report",
    status_code=201,
    responses=returns(Report, status=HTTPStatus.CREATED) | NO_POST | NOT_YOURSELF,
)
async def report_post(
    post_id: IdPath, services: ServicesDep, actor: ActorDep, body: NewPostReport | None = None
) -> Response:
    """Report a post to the moderators. Your feed no longer shows it, and shows less like it.

    A repeated report changes nothing, and is answered by the first one. The author is not told who reported it.
    """
    body = body or NewPostReport()
    await act(services, actor, post_id, Action.REPORT, body, text=body.text, reason=body.reason)
    async with services.database.connection() as connection:
        row = await (await connection.execute(_OF_POST, (actor, decode_id(post_id)))).fetchone()
    if row is None:
        raise post_gone()
    return reply(_report_json("post", post_id, row), HTTPStatus.CREATED)


@router.post(
    "/posts/{post_id}/comments/{comment_id}/report",
    status_code=201,
    responses=returns(Report, status=HTTPStatus.CREATED) | NO_COMMENT | NOT_YOURSELF,
)
async def report_comment(
    post_id: IdPath, comment_id: IdPath, services: ServicesDep, actor: ActorDep, body: NewReport | None = None
) -> Response:
    """Report a comment to the moderators. Your feed shows less of its author.

    A repeated report changes nothing, and is answered by the first one. The author is not told who reported it.
    """
    post, comment = decode_id(post_id), decode_id(comment_id)
    await services.posts.require_visible(actor, post)
    async with services.database.connection() as connection:
        await require_actor(connection, actor)
        found = await find_comment(connection, actor, post, comment)
        if found["author_id"] == actor:
            raise InvalidError("You cannot report your own comment.", code="self")
        row = await _add(connection, (_ADD_OF_COMMENT, _OF_COMMENT), actor, comment, body)
    return reply(_report_json("comment", comment_id, row), HTTPStatus.CREATED)


@router.post(
    "/users/{user_id}/report",
    status_code=201,
    responses=returns(Report, status=HTTPStatus.CREATED) | NO_USER | NOT_YOURSELF,
)
async def report_user(
    user_id: IdPath, services: ServicesDep, actor: ActorDep, body: NewReport | None = None
) -> Response:
    """Report a person to the moderators. Your feed shows less of them.

    A repeated report changes nothing, and is answered by the first one. They are not told who reported them.
    """
    them = decode_id(user_id)
    if them == actor:
        raise InvalidError("You cannot report yourself.", code="self")
    async with services.database.connection() as connection:
        await require_actor(connection, actor)
        await find_user_for(connection, actor, them)
        row = await _add(connection, (_ADD_OF_PERSON, _OF_PERSON), actor, them, body)
    return reply(_report_json("person", user_id, row), HTTPStatus.CREATED)


async def _add(
    connection: AsyncConnection[DictRow], statements: tuple[str, str], actor: int, subject: int, body: NewReport | None
) -> DictRow:
    """Add a report, unless the actor has reported the subject before; returns the first report.

    Raises:
        NotFoundError: the subject was deleted meanwhile.
    """
    body, (add, read) = body or NewReport(), statements
    await connection.execute(add, (actor, subject, body.reason, body.text))
    row = await (await connection.execute(read, (actor, subject))).fetchone()
    if row is None:
        raise NotFoundError("What this call refers to was deleted while the call ran.")
    return row


def _report_json(kind: Kind, subject_id: str, row: DictRow) -> dict[str, Any]:
    return {
        "kind": kind,
        "id": subject_id,
        "reason": row["reason"],
        "text": row["details"],
        "reportedAt": timestamp(row["created_at"]),
    }
