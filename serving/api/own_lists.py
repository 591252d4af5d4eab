"""Lists of your own: posts you saved or liked, and your photos in every state."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from photofeed.ids import encode_id
from serving.api.declared import BAD_CURSOR, returns
from serving.api.lists import CursorText, Limit, before, before_moment, moment_cursor, page_of
from serving.api.photos import PHOTO_ROWS, photo_json
from serving.api.replies import reply
from serving.api.schemas import PhotoPage, PhotoStatus, PostPage
from serving.posts import Reaction
from serving.services import ActorDep, Services, ServicesDep

router = APIRouter(prefix="/v1/me")

_OWN_PHOTOS = f"""
{PHOTO_ROWS} where ph.owner_id = %(me)s and ph.purpose = 'post' and ph.id < %(before)s
    and (%(status)s::text is null or ph.status = %(status)s)
order by ph.id desc limit %(limit)s
"""


async def _reacted(services: Services, actor: int, reaction: Reaction, limit: int, cursor: str | None) -> Response:
    found = await services.posts.by_reaction(actor, reaction, before=before_moment(cursor), limit=limit + 1)
    return reply(page_of(found, limit, lambda one: one[0].fragment, lambda one: moment_cursor(one[1], one[0].id)))


@router.get(
    "/saved",
    tags=["posts"],
    responses=returns(PostPage) | BAD_CURSOR,
)
async def list_saved(services: ServicesDep, actor: ActorDep, limit: Limit = 30, cursor: CursorText = None) -> Response:
    """List the posts you saved, the last saved first.

    Posts that you may no longer see are left out.
    """
    return await _reacted(services, actor, "saves", limit, cursor)


@router.get(
    "/likes",
    tags=["posts"],
    responses=returns(PostPage) | BAD_CURSOR,
)
async def list_liked(services: ServicesDep, actor: ActorDep, limit: Limit = 30, cursor: CursorText = None) -> Response:
    """List the posts you liked, the last liked first.

    Posts that you may no longer see are left out.
    """
    return await _reacted(services, actor, "likes", limit, cursor)


@router.get(
    "/photos",
    tags=["photos"],
    responses=returns(PhotoPage) | BAD_CURSOR,
)
async def list_own_photos(
    services: ServicesDep,
    actor: ActorDep,
    status: Annotated[PhotoStatus | None, Query(description="Only photos in this state")] = None,
    limit: Limit = 30,
    cursor: CursorText = None,
) -> Response:
    """List your photos in every state, newest first: also those in review, rejected or failed, with the reason."""
    page = {"me": actor, "before": before(cursor), "status": status, "limit": limit + 1}
    async with services.database.connection() as connection:
        rows = await (await connection.execute(_OWN_PHOTOS, page)).fetchall()
    return reply(page_of(rows, limit, lambda row: photo_json(services, row, actor), lambda row: encode_id(row["id"])))
