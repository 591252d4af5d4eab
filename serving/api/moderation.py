"""Moderation of photos: previews, and the decisions of moderators."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Literal

import anyio.to_thread
from fastapi import APIRouter, Depends
from fastapi.responses import Response
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict, Field

from photofeed import webhooks
from photofeed.database import write_outbox
from photofeed.errors import ConflictError, ForbiddenError, NotFoundError
from photofeed.ids import decode_id, encode_id
from photofeed.notifications import OF_MODERATION, OF_POST_MENTIONS, OF_REPORTS, NotificationKind
from photofeed.publication import (
    HIDE,
    PUBLICATION,
    REFUSED_CODE,
    REFUSED_REASON,
    SHOW,
    announcement,
    avatar_removal,
    withdrawal,
)
from photofeed.tokens import MODERATOR, Caller
from serving.api.declared import NO_PHOTO, refuses, returns, sends
from serving.api.fields import STORABLE, IdPath
from serving.api.idempotency import IdempotentRoute
from serving.api.replies import reply
from serving.api.schemas import Decision
from serving.engagement.notifying import notify
from serving.services import CallerDep, ServicesDep
from serving.times import timestamp

router = APIRouter(route_class=IdempotentRoute, prefix="/v1/moderation", tags=["moderation"])

APPROVED, REJECTED = "approved", "rejected"

NOT_YOUR_OWN = refuses(
    HTTPStatus.FORBIDDEN,
    your_own="Another moderator must decide about what is yours.",
    forbidden="This endpoint is for moderators only.",
)
_PREVIEW = {"size": 640, "format": "jpeg"}


def require_moderator(caller: CallerDep) -> Caller:
    """The caller, if it is a moderator."""
    if MODERATOR not in caller.scopes:
        raise ForbiddenError("This endpoint is for moderators only.")
    return caller


ModeratorDep = Annotated[Caller, Depends(require_moderator)]


class Ruling(BaseModel):
    """A moderator's decision and its reason, kept for audits."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["approve", "reject"]
    reason: Annotated[str, Field(min_length=1, max_length=1000), STORABLE]


@router.get(
    "/{photo_id}/preview",
    responses=sends({"image/jpeg": None}, "Cache-Control", description="The photo at 640 pixels") | NO_PHOTO,
)
async def get_moderation_preview(photo_id: IdPath, services: ServicesDep, _: ModeratorDep) -> Response:
    """Get a photo as JPEG, whatever its status; caches must not store it."""
    async with services.database.connection() as connection:
        row = await (
            await connection.execute("select variants from photos where id = %s", (decode_id(photo_id),))
        ).fetchone()
    found = [one for one in (row["variants"] if row else ()) if _PREVIEW.items() <= one.items()]
    if not found:
        raise NotFoundError("There is no preview of this photo.", code="photo_not_found")
    data = await anyio.to_thread.run_sync(services.objects.get, services.settings.bucket_variants, found[0]["key"])
    return Response(data, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


_LOCK = "select status, owner_id, purpose from photos where id = %s for update"
_LOCK_REPORTS = "select report_count from posts where id = %s for update"
_RESET_REPORTS = "update posts set report_count = 0 where id = %s"
_DECIDE_REPORTS = "update reports set decided_at = now() where post_id = %s and decided_at is null returning user_id"
_ADD_DECISION = """
insert into moderation_decisions (photo_id, kind, decision, by, reason, reports)
values (%s, 'moderator', %s, %s, %s, %s) returning id, at
"""
_APPROVE = """
update photos set status = 'ready', failure_code = null, failure_reason = null, ready_at = coalesce(ready_at, now())
where id = %s
"""
_REJECT = "update photos set status = 'rejected', failure_code = %s, failure_reason = %s, ready_at = null where id = %s"

_TAKE_AVATAR = "update users set avatar_id = null where avatar_id = %s"


@router.post(
    "/{photo_id}/decisions",
    status_code=201,
    responses=returns(Decision, status=HTTPStatus.CREATED)
    | refuses(HTTPStatus.CONFLICT, not_moderated="This photo is processing: there is nothing to decide.")
    | NOT_YOUR_OWN
    | NO_PHOTO,
)
async def decide_moderation(photo_id: IdPath, services: ServicesDep, moderator: ModeratorDep, body: Ruling) -> Response:
    """Approve or reject a photo. Approving publishes it and dismisses its reports; rejecting removes it everywhere."""
    photo, approved = decode_id(photo_id), body.decision == "approve"
    async with services.database.connection() as connection:
        row = await (await connection.execute(_LOCK, (photo,))).fetchone()
        if row is None:
            raise NotFoundError("There is no photo with this id.", code="photo_not_found")
        if row["owner_id"] == moderator.user_id:
            raise ForbiddenError("Another moderator must decide about what is yours.", code="your_own")
        if row["status"] not in ("ready", "review", "rejected"):
            raise ConflictError(f"This photo is {row['status']}: there is nothing to decide.", code="not_moderated")
        post = await (await connection.execute(_LOCK_REPORTS, (photo,))).fetchone()
        reports = post["report_count"] if post else 0
        word = APPROVED if approved else REJECTED
        audit = (photo, word, encode_id(moderator.user_id), body.reason, reports)
        decision = await (await connection.execute(_ADD_DECISION, audit)).fetchone()
        await connection.execute(_RESET_REPORTS, (photo,))
        reporters = await (await connection.execute(_DECIDE_REPORTS, (photo,))).fetchall()
        if approved:
            await connection.execute(_APPROVE, (photo,))
        else:
            await connection.execute(_REJECT, (REFUSED_CODE, REFUSED_REASON, photo))
            if row["purpose"] == "avatar":
                await connection.execute(_TAKE_AVATAR, (photo,))
                await write_outbox(connection, avatar_removal(photo))
        told = await _show(connection, photo, visible=approved)
        if row["status"] != ("ready" if approved else "rejected"):
            kind = NotificationKind.PHOTO_APPROVED if approved else NotificationKind.PHOTO_REJECTED
            told += await notify(connection, OF_MODERATION, post=photo, kind=kind)
            await connection.execute(webhooks.QUEUE, webhooks.photo_event(photo, row["owner_id"], ready=approved))
        told += await notify_reporters(connection, "post", decision, reporters, kept=approved)
    await services.signals.publish(told)
    status = "ready" if approved else "rejected"
    at = timestamp(decision["at"]) if decision else None
    return reply({"photoId": photo_id, "status": status, "decision": word, "at": at}, HTTPStatus.CREATED)


async def _show(connection: AsyncConnection[DictRow], photo: int, *, visible: bool) -> list[int]:
    """Show or hide the post, and publish the change if there is one; returns who got notifications."""
    if not (await connection.execute(SHOW if visible else HIDE, (photo,))).rowcount:
        return []
    publication = await (await connection.execute(PUBLICATION, (photo,))).fetchone()
    if publication is not None:
        await write_outbox(connection, announcement(publication) if visible else withdrawal(publication))
    return await notify(connection, OF_POST_MENTIONS, post=photo) if visible else []


async def notify_reporters(
    connection: AsyncConnection[DictRow],
    reported: Literal["post", "comment", "person"],
    decision: DictRow | None,
    reporters: Sequence[DictRow],
    *,
    kept: bool,
) -> list[int]:
    """Tell those whose reports a decision decided what became of them; returns who got notifications."""
    if not reporters or decision is None:
        return []
    return await notify(
        connection,
        OF_REPORTS,
        reporters=[row["user_id"] for row in reporters],
        reported=reported,
        outcome="kept" if kept else "removed",
        subject=f"report:{decision['id']}",
    )
