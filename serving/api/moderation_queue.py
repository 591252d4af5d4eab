"""The moderation queue: photos, comments and people that wait for a decision. And the history of decisions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from photofeed.ids import decode_id, encode_id
from photofeed.report_reasons import URGENT
from serving.api.declared import BAD_CURSOR, returns
from serving.api.fields import EncodedId
from serving.api.lists import CursorText, after, before, page_of
from serving.api.moderation import ModeratorDep
from serving.api.replies import reply
from serving.api.schemas import DecisionPage, ModerationQueue
from serving.people_json import person_json
from serving.services import Services, ServicesDep
from serving.times import timestamp

router = APIRouter(prefix="/v1/moderation", tags=["moderation"])

Kind = Literal["photo", "comment", "person"]

# A photo is in the queue because the model was in doubt, everything else because people reported it. What is reported
# stays visible until a moderator decides, so that a group of people cannot remove it.
_WAITING = """
select kind, id from (
    select 'photo' as kind, id from photos where status = 'review'
    union all
    select 'photo', id from posts p where visible and report_count > 0 and (report_count >= %(enough)s or exists (
        select from reports r where r.post_id = p.id and r.decided_at is null and r.reason = any(%(urgent)s)))
    union all
    select 'comment', comment_id from comment_reports where decided_at is null
    group by comment_id having count(*) >= %(enough)s or bool_or(reason = any(%(urgent)s))
    union all
    select 'person', person_id from person_reports where decided_at is null
    group by person_id having count(*) >= %(enough)s or bool_or(reason = any(%(urgent)s))
) waiting
where id > %(after)s and (%(kind)s::text is null or kind = %(kind)s) order by id limit %(limit)s
"""
_PHOTOS = """
select p.id, p.owner_id, p.status, p.width, p.height, p.created_at, coalesce(o.caption, '') as caption,
       coalesce(o.alt_text, '') as alt_text,
       coalesce(o.report_count, 0) as reports, d.score, d.by, d.reason, d.at
from photos p left join posts o using (id) left join lateral (
    select * from moderation_decisions d where d.photo_id = p.id and d.kind = 'model' order by d.id desc limit 1
) d on true
where p.id = any(%s)
"""
_COMMENTS = """
select c.id, c.post_id, c.body, c.created_at, u.id as author_id, u.handle, u.display_name, u.avatar_id
from comments c join users u on u.id = c.user_id where c.id = any(%s)
"""
_PEOPLE = "select id, handle, display_name, avatar_id, bio, created_at from users where id = any(%s)"
# The newest details of each reason.
_REPORTS = """
select {key} as id, reason, count(*)::int as count,
       (array_agg(details order by created_at desc) filter (where details <> ''))[:5] as details
from {table} where {key} = any(%s) and decided_at is null group by {key}, reason order by count(*) desc, reason
"""
_REPORTS_OF: Mapping[Kind, str] = {
    "photo": _REPORTS.format(table="reports", key="post_id"),
    "comment": _REPORTS.format(table="comment_reports", key="comment_id"),
    "person": _REPORTS.format(table="person_reports", key="person_id"),
}


@router.get(
    "/queue",
    responses=returns(ModerationQueue) | BAD_CURSOR,
)
async def list_moderation_queue(
    services: ServicesDep,
    _: ModeratorDep,
    kind: Annotated[Kind | None, Query(description="Only photos, comments or people")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: CursorText = None,
) -> Response:
    """List photos, comments and people that need a decision, oldest first.

    Uncertain photos, and what enough people have reported; one report of an urgent reason is enough.
    """
    enough = services.settings.moderation_reports
    page = {"enough": enough, "urgent": list(URGENT), "after": after(cursor), "kind": kind, "limit": limit + 1}
    async with services.database.connection() as connection:
        waiting = await (await connection.execute(_WAITING, page)).fetchall()
        shown = await _shown(services, connection, waiting[:limit])
    found = page_of(waiting, limit, lambda row: shown.get((row["kind"], row["id"])), lambda row: encode_id(row["id"]))
    return reply(found | {"items": [item for item in found["items"] if item is not None]})  # the rest was just deleted


async def _shown(
    services: Services, connection: AsyncConnection[DictRow], waiting: Sequence[DictRow]
) -> dict[tuple[str, int], dict[str, Any]]:
    """What the queue shows, by kind and id."""
    ids: dict[str, list[int]] = defaultdict(list)
    for row in waiting:
        ids[row["kind"]].append(row["id"])
    shown: dict[tuple[str, int], dict[str, Any]] = {}
    for kind, of_reports in _REPORTS_OF.items():
        if not ids[kind]:
            continue
        reasons: dict[int, list[dict[str, Any]]] = defaultdict(list)
        async for row in await connection.execute(of_reports, (ids[kind],)):
            told = {"reason": row["reason"], "count": row["count"], "texts": row["details"] or []}
            reasons[row["id"]].append(told)
        statement = {"photo": _PHOTOS, "comment": _COMMENTS, "person": _PEOPLE}[kind]
        async for row in await connection.execute(statement, (ids[kind],)):
            told_here = reasons[row["id"]]
            item = {"kind": kind, "reasons": told_here, "createdAt": timestamp(row["created_at"])}
            shown[kind, row["id"]] = item | _subject_json(services, kind, row, told_here)
    return shown


def _subject_json(services: Services, kind: Kind, row: DictRow, reasons: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    reports = sum(one["count"] for one in reasons)
    if kind == "photo":
        return _photo_json(services.settings.public_url, row)
    if kind == "comment":
        author = person_json({**row, "id": row["author_id"]}, services.settings.public_url)
        words = {"commentId": encode_id(row["id"]), "postId": encode_id(row["post_id"]), "text": row["body"]}
        return words | {"author": author, "reports": reports}
    return {"person": person_json(row, services.settings.public_url), "bio": row["bio"], "reports": reports}


def _photo_json(public_url: str, row: DictRow) -> dict[str, Any]:
    photo_id = encode_id(row["id"])
    return {
        "photoId": photo_id,
        "ownerId": encode_id(row["owner_id"]),
        "status": row["status"],
        "reports": row["reports"],
        "caption": row["caption"],
        "altText": row["alt_text"],
        "width": row["width"],
        "height": row["height"],
        "previewUrl": f"{public_url}/v1/moderation/{photo_id}/preview",
        "model": {"version": row["by"], "score": row["score"], "reason": row["reason"], "at": timestamp(row["at"])}
        if row["by"]
        else None,
    }


_DECISIONS = """
select * from moderation_decisions
where id < %(before)s and (%(subject)s::bigint is null or %(subject)s in (photo_id, comment_id, person_id))
order by id desc limit %(limit)s
"""


@router.get(
    "/decisions",
    responses=returns(DecisionPage) | BAD_CURSOR,
)
async def list_moderation_decisions(
    services: ServicesDep,
    _: ModeratorDep,
    subject: Annotated[EncodedId | None, Query(description="Only about this photo, comment or person")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: CursorText = None,
) -> Response:
    """List the decisions of the model and of moderators, newest first. Decisions are never changed or deleted."""
    about = decode_id(subject) if subject else None
    page = {"before": before(cursor), "subject": about, "limit": limit + 1}
    async with services.database.connection() as connection:
        rows = await (await connection.execute(_DECISIONS, page)).fetchall()
    return reply(page_of(rows, limit, _decision_json, lambda row: encode_id(row["id"])))


def _decision_json(row: DictRow) -> dict[str, Any]:
    kind = next(kind for kind in _REPORTS_OF if row[f"{kind}_id"] is not None)
    return {
        "kind": kind,
        "id": encode_id(row[f"{kind}_id"]),
        "decision": row["decision"],
        "decidedBy": {"kind": row["kind"], "id": row["by"]},
        "reason": row["reason"],
        "score": row["score"],
        "reports": row["reports"],
        "at": timestamp(row["at"]),
    }
