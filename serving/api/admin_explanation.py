"""For those who run photofeed: why a person sees a post or does not, by one ranker or two side by side."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from photofeed.errors import NotFoundError
from photofeed.ids import decode_id, encode_id
from photofeed.models.registry import CHAMPION
from serving.api.declared import refuses, returns
from serving.api.fields import HANDLE, EncodedId
from serving.api.replies import reply
from serving.api.schemas import PostExplanation
from serving.feed.explanation import Explanation
from serving.feed.pipeline import Explained
from serving.feed.slate import Slate
from serving.services import AdminDep, ServicesDep
from serving.times import timestamp

router = APIRouter(prefix="/v1/admin", tags=["operations"])

MOST_CANDIDATES = 200  # of a ranking that are listed
MOST_RANKERS = 2

_NO_SUCH = refuses(
    HTTPStatus.NOT_FOUND,
    user_not_found="There is nobody with this handle.",
    post_not_found="There is no post with this id.",
)

_PERSON = "select id from users where handle = %s"
_POST = """
select p.id, p.posted_at, p.visible, u.handle, ph.status, u.id = %(viewer)s as own, u.is_private,
    exists (select from follows where follower_id = %(viewer)s and followee_id = u.id) as follows,
    exists (select from blocks where (blocker_id = %(viewer)s and blocked_id = u.id)
            or (blocker_id = u.id and blocked_id = %(viewer)s)) as blocked,
    exists (select from mutes where muter_id = %(viewer)s and muted_id = u.id) as muted,
    exists (select from hides where user_id = %(viewer)s and post_id = p.id) as hidden,
    exists (select from reports where user_id = %(viewer)s and post_id = p.id) as reported
from posts p join users u on u.id = p.author_id left join photos ph on ph.id = p.id where p.id = %(post)s
"""


@router.get("/explanation", responses=returns(PostExplanation) | _NO_SUCH)
async def explain_post(
    services: ServicesDep,
    _: AdminDep,
    handle: Annotated[str, Query(pattern=HANDLE, description="Whose feed", examples=["marta.k"])],
    post_id: Annotated[EncodedId | None, Query(alias="postId", description="The post to explain")] = None,
    ranker: Annotated[
        list[Literal["champion", "previous", "challenger", "popularity", "recency"]] | None,
        Query(max_length=MOST_RANKERS, description="One ranker or two; the champion if there is none"),
    ] = None,
) -> Response:
    """Explain why a person sees a post or does not: its features, score, rules, and what keeps it away.

    Each ranker ranks the person's next slate, of the same candidates; nothing of it is stored or logged. The first 200
    candidates are listed, without their features.
    """
    async with services.database.connection() as connection:
        viewer = await _viewer(connection, handle)
        post = None if post_id is None else await _post(connection, viewer, decode_id(post_id))
    rankers: list[str] = list(dict.fromkeys(ranker or (CHAMPION,)))
    explained = await services.feed.explain(viewer, rankers)
    rankings = [
        _ranking_json(name, slate, explanation, explained, post_id)
        for name, (slate, explanation) in zip(rankers, explained.ranked, strict=True)
    ]
    skipped = explained.ranked[0][1].skipped
    return reply(
        {"handle": handle, "post": post and _post_json(post), "rankings": rankings, "skippedSources": list(skipped)}
    )


async def _viewer(connection: AsyncConnection[DictRow], handle: str) -> int:
    row = await (await connection.execute(_PERSON, (handle,))).fetchone()
    if row is None:
        raise NotFoundError("There is nobody with this handle.", code="user_not_found")
    return int(row["id"])


async def _post(connection: AsyncConnection[DictRow], viewer: int, post: int) -> DictRow:
    row = await (await connection.execute(_POST, {"viewer": viewer, "post": post})).fetchone()
    if row is None:
        raise NotFoundError("There is no post with this id.", code="post_not_found")
    return row


def _post_json(row: DictRow) -> dict[str, Any]:
    return {
        "id": encode_id(row["id"]),
        "author": row["handle"],
        "photoStatus": row["status"],
        "postedAt": timestamp(row["posted_at"]),
        "followsAuthor": row["follows"],
        "reasons": _reasons(row),
    }


def _reasons(row: DictRow) -> list[str]:
    """Why no feed of the viewer shows a post."""
    is_moderated_away = row["status"] in {"review", "rejected"}
    causes: Mapping[str, bool] = {
        "own": row["own"],
        "blocked": row["blocked"],
        "muted": row["muted"],
        "hidden": row["hidden"],
        "reported": row["reported"],
        "private": row["is_private"] and not row["follows"] and not row["own"],
        "moderation": is_moderated_away,
        "not_visible": not row["visible"] and not is_moderated_away,
    }
    return [cause for cause, holds in causes.items() if holds]


def _ranking_json(
    ranker: str, slate: Slate, explanation: Explanation, explained: Explained, post_id: str | None
) -> dict[str, Any]:
    everything = explanation.to_json()
    names, candidates = everything["featureNames"], everything["candidates"]
    one = next((found for found in candidates if found["postId"] == post_id), None)
    return {
        "ranker": ranker,
        "ranking": slate.ranking,
        "insteadOf": slate.instead_of,
        "version": slate.model_version,
        "candidates": [_candidate_json(found) for found in candidates[:MOST_CANDIDATES]],
        "post": one
        and _candidate_json(one)
        | {
            "moves": one.get("moves", []),
            "features": [
                {"name": name, "value": value} for name, value in zip(names, one.get("features") or (), strict=False)
            ],
        },
        "outcome": None if post_id is None else one["outcome"] if one else _why_no_candidate(explained, post_id),
    }


def _candidate_json(found: dict[str, Any]) -> dict[str, Any]:
    keys = ("postId", "source", "pool", "position", "score", "outcome")
    return {key: found[key] for key in keys} | {"rank": found.get("rank")}


def _why_no_candidate(explained: Explained, post_id: str) -> str:
    if decode_id(post_id) in explained.found.post_ids.tolist():
        return "found, and not ranked: newer posts fill the slate, or explore shows no authors of the follow graph"
    return "no source found it: older than the timeline, not by followed people, and in no explore pool"
