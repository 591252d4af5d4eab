"""Moderation: what waits for a person, and what that person decides."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

import anyio.to_thread
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict, Field

from photofeed.database import write_outbox
from photofeed.errors import ConflictError, ForbiddenError, NotFoundError
from photofeed.ids import decode_id, encode_id
from photofeed.publication import HIDE, PUBLICATION, REFUSED_CODE, REFUSED_REASON, SHOW, announcement, withdrawal
from photofeed.tokens import MODERATOR, Caller
from serving.api.fields import STORABLE
from serving.api.replies import reply, timestamp
from serving.services import CallerDep, ServicesDep

router = APIRouter(prefix="/v1/moderation", tags=["moderation"])

_PREVIEW = {"size": 640, "format": "jpeg"}


def _moderator(caller: CallerDep) -> Caller:
    if MODERATOR not in caller.scopes:
        raise ForbiddenError("This call is for moderators.")
    return caller


ModeratorDep = Annotated[Caller, Depends(_moderator)]


class Ruling(BaseModel):
    """What a moderator decides, and why: kept for the audit."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["approve", "reject"]
    reason: Annotated[str, Field(min_length=1, max_length=1000), STORABLE]


# Photos wait because a model was in doubt, which its last decision says, or because people reported their posts; those
# are shown until somebody has decided, so that no crowd can take a post away.
_QUEUE = """
select p.id, p.owner_id, p.status, p.width, p.height, p.created_at, coalesce(o.caption, '') as caption,
       coalesce(o.report_count, 0) as reports, d.score, d.by, d.reason, d.at
from (
    select id from photos where status = 'review'
    union all
    select id from posts where visible and report_count > 0 and report_count >= %(reports)s
) waiting join photos p using (id) left join posts o using (id) left join lateral (
    select * from moderation_decisions d where d.photo_id = p.id and d.kind = 'model' order by d.id desc limit 1
) d on true
where p.id > %(after)s order by p.id limit %(limit)s
"""


@router.get("/queue")
async def queue(
    services: ServicesDep,
    _: ModeratorDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[
        str | None, Query(max_length=20, description="The id of the last photo of the page before")
    ] = None,
) -> Response:
    """Photos that wait for a decision, oldest first: doubtful ones, and those that enough people have reported."""
    page = {"reports": services.settings.moderation_reports, "after": decode_id(after) if after else 0, "limit": limit}
    async with services.database.connection() as connection:
        rows = await (await connection.execute(_QUEUE, page)).fetchall()
    items = [_waiting_json(services.settings.public_url, row) for row in rows]
    return reply({"items": items, "nextAfter": items[-1]["photoId"] if len(items) == limit else None})


def _waiting_json(public_url: str, row: DictRow) -> dict[str, Any]:
    photo_id = encode_id(row["id"])
    return {
        "photoId": photo_id,
        "ownerId": encode_id(row["owner_id"]),
        "status": row["status"],
        "reports": row["reports"],
        "caption": row["caption"],
        "width": row["width"],
        "height": row["height"],
        "createdAt": timestamp(row["created_at"]),
        "previewUrl": f"{public_url}/v1/moderation/{photo_id}/preview",
        "model": {"version": row["by"], "score": row["score"], "reason": row["reason"], "at": timestamp(row["at"])}
        if row["by"]
        else None,
    }


@router.get("/{photo_id}/preview")
async def preview(photo_id: str, services: ServicesDep, _: ModeratorDep) -> Response:
    """A photo as a moderator sees it, whatever its status; no cache keeps it."""
    async with services.database.connection() as connection:
        row = await (
            await connection.execute("select variants from photos where id = %s", (decode_id(photo_id),))
        ).fetchone()
    found = [one for one in (row["variants"] if row else ()) if _PREVIEW.items() <= one.items()]
    if not found:
        raise NotFoundError("There is no picture of this photo.", code="photo_not_found")
    data = await anyio.to_thread.run_sync(services.objects.get, services.settings.bucket_variants, found[0]["key"])
    return Response(data, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


_LOCKED = "select status from photos where id = %s for update"
_REPORTED = "select report_count from posts where id = %s for update"
_DEALT_WITH = "update posts set report_count = 0 where id = %s"
_DECIDED = """
insert into moderation_decisions (photo_id, kind, decision, by, reason, reports)
values (%s, 'moderator', %s, %s, %s, %s) returning at
"""
_APPROVED = """
update photos set status = 'ready', failure_code = null, failure_reason = null, ready_at = coalesce(ready_at, now())
where id = %s
"""
_REJECTED = (
    "update photos set status = 'rejected', failure_code = %s, failure_reason = %s, ready_at = null where id = %s"
)


@router.post("/{photo_id}/decisions", status_code=201)
async def decide(photo_id: str, services: ServicesDep, moderator: ModeratorDep, body: Ruling) -> Response:
    """Approve or reject a photo. Approving shows it; rejecting takes it away, wherever it was public."""
    photo, approved = decode_id(photo_id), body.decision == "approve"
    async with services.database.connection() as connection:
        row = await (await connection.execute(_LOCKED, (photo,))).fetchone()
        if row is None:
            raise NotFoundError("There is no photo with this id.", code="photo_not_found")
        if row["status"] not in ("ready", "review", "rejected"):
            raise ConflictError(f"This photo is {row['status']}: there is nothing to decide.", code="not_moderated")
        reported = await (await connection.execute(_REPORTED, (photo,))).fetchone()
        words = ("approved" if approved else "rejected", encode_id(moderator.user_id), body.reason)
        reports = reported["report_count"] if reported else 0
        decision = await (await connection.execute(_DECIDED, (photo, *words, reports))).fetchone()
        await connection.execute(_DEALT_WITH, (photo,))
        if approved:
            await connection.execute(_APPROVED, (photo,))
        else:
            await connection.execute(_REJECTED, (REFUSED_CODE, REFUSED_REASON, photo))
        await _show(connection, photo, visible=approved)
    status = "ready" if approved else "rejected"
    at = timestamp(decision["at"]) if decision else None
    return reply({"photoId": photo_id, "status": status, "decision": words[0], "at": at}, HTTPStatus.CREATED)


async def _show(connection: AsyncConnection[DictRow], photo: int, *, visible: bool) -> None:
    """Show or hide the post, and tell the world if that changed anything."""
    if (await connection.execute(SHOW if visible else HIDE, (photo,))).rowcount:
        publication = await (await connection.execute(PUBLICATION, (photo,))).fetchone()
        if publication is not None:
            await write_outbox(connection, announcement(publication) if visible else withdrawal(publication))
