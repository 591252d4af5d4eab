"""Decisions of moderators about reported comments and people."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from photofeed.errors import ForbiddenError, NotFoundError
from photofeed.ids import decode_id, encode_id
from photofeed.tokens import Caller
from serving.api.comments import DELETE_COMMENT
from serving.api.declared import NO_USER, refuses, returns
from serving.api.fields import IdPath
from serving.api.idempotency import IdempotentRoute
from serving.api.moderation import APPROVED, NOT_YOUR_OWN, REJECTED, ModeratorDep, Ruling, notify_reporters
from serving.api.replies import reply
from serving.api.schemas import ReportDecision
from serving.services import ServicesDep
from serving.times import timestamp

router = APIRouter(route_class=IdempotentRoute, prefix="/v1/moderation", tags=["moderation"])

_LOCK_COMMENT = "select post_id, user_id from comments where id = %s for update"
_LOCK_PERSON = "select id as user_id from users where id = %s for no key update"
_DECIDE_COMMENT_REPORTS = """
update comment_reports set decided_at = now() where comment_id = %s and decided_at is null returning user_id
"""
_DECIDE_PERSON_REPORTS = """
update person_reports set decided_at = now() where person_id = %s and decided_at is null returning user_id
"""
_ADD_DECISION = """
insert into moderation_decisions (comment_id, person_id, kind, decision, by, reason, reports)
values (%(comment)s, %(person)s, 'moderator', %(decision)s, %(by)s, %(reason)s, %(reports)s) returning id, at
"""
_WORDS = {"approve": APPROVED, "reject": REJECTED}


@router.post(
    "/comments/{comment_id}/decisions",
    status_code=201,
    responses=returns(ReportDecision, status=HTTPStatus.CREATED)
    | NOT_YOUR_OWN
    | refuses(HTTPStatus.NOT_FOUND, comment_not_found="There is no comment with this id."),
)
async def decide_reported_comment(
    comment_id: IdPath, services: ServicesDep, moderator: ModeratorDep, body: Ruling
) -> Response:
    """Approve or reject a reported comment. Rejecting deletes it, approving dismisses its reports."""
    comment = decode_id(comment_id)
    async with services.database.connection() as connection:
        found = await (await connection.execute(_LOCK_COMMENT, (comment,))).fetchone()
        if found is None:
            raise NotFoundError("There is no comment with this id.", code="comment_not_found")
        _refuse_own(found, moderator)
        reporters = await (await connection.execute(_DECIDE_COMMENT_REPORTS, (comment,))).fetchall()
        decision = await _record(connection, "comment", comment, moderator, body, len(reporters))
        kept = body.decision == "approve"
        if not kept:
            which = {"comment": comment, "post": found["post_id"], "me": moderator.user_id, "moderates": True}
            await connection.execute(DELETE_COMMENT, which)
        told = await notify_reporters(connection, "comment", decision, reporters, kept=kept)
    await services.signals.publish(told)
    return reply(_decision_json("comment", comment_id, body, decision, len(reporters)), HTTPStatus.CREATED)


@router.post(
    "/people/{user_id}/decisions",
    status_code=201,
    responses=returns(ReportDecision, status=HTTPStatus.CREATED) | NOT_YOUR_OWN | NO_USER,
)
async def decide_reported_user(
    user_id: IdPath, services: ServicesDep, moderator: ModeratorDep, body: Ruling
) -> Response:
    """Approve or reject a reported person: approving dismisses the reports, rejecting records that they are right.

    Neither changes the account. Reject the person's photos and comments one by one.
    """
    person = decode_id(user_id)
    async with services.database.connection() as connection:
        found = await (await connection.execute(_LOCK_PERSON, (person,))).fetchone()
        if found is None:
            raise NotFoundError("There is no user with this id.", code="user_not_found")
        _refuse_own(found, moderator)
        reporters = await (await connection.execute(_DECIDE_PERSON_REPORTS, (person,))).fetchall()
        decision = await _record(connection, "person", person, moderator, body, len(reporters))
        told = await notify_reporters(connection, "person", decision, reporters, kept=body.decision == "approve")
    await services.signals.publish(told)
    return reply(_decision_json("person", user_id, body, decision, len(reporters)), HTTPStatus.CREATED)


def _refuse_own(row: DictRow, moderator: Caller) -> None:
    if row["user_id"] == moderator.user_id:
        raise ForbiddenError("Another moderator must decide about what is yours.", code="your_own")


async def _record(
    connection: AsyncConnection[DictRow], kind: str, subject: int, moderator: Caller, body: Ruling, reports: int
) -> DictRow | None:
    """Add the decision to the history; returns its id and time."""
    row = {
        "comment": subject if kind == "comment" else None,
        "person": subject if kind == "person" else None,
        "decision": _WORDS[body.decision],
        "by": encode_id(moderator.user_id),
        "reason": body.reason,
        "reports": reports,
    }
    return await (await connection.execute(_ADD_DECISION, row)).fetchone()


def _decision_json(kind: str, subject_id: str, body: Ruling, decision: DictRow | None, reports: int) -> dict[str, Any]:
    at = timestamp(decision["at"]) if decision else None
    return {"kind": kind, "id": subject_id, "decision": _WORDS[body.decision], "reports": reports, "at": at}
