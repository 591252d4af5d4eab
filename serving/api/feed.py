"""The ranked feed, explore, search, and profiles."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response
from redis.exceptions import RedisError

from photofeed.errors import ForbiddenError, InvalidError
from photofeed.experiments import Ranker
from photofeed.ids import decode_id
from serving.api.fields import STORABLE
from serving.api.lists import CursorText, Limit, before, page_json
from serving.api.replies import reply
from serving.api.users import find_user
from serving.feed.pipeline import STAGE_SECONDS, Page, Surface
from serving.services import ActorDep, CallerDep, Services, ServicesDep, ViewerDep

router = APIRouter(prefix="/v1", tags=["feed"])


@router.get("/feed")
async def feed(
    services: ServicesDep,
    caller: CallerDep,
    actor: ViewerDep,
    limit: Limit = 30,
    cursor: CursorText = None,
    if_none_match: Annotated[str | None, Header(max_length=200, description="ETag of one's last first page")] = None,
    explain: Annotated[
        bool, Query(description="Why it looks so: admins, Act-As whom they name; or in development")
    ] = False,
    ranker: Annotated[Ranker | None, Query(description="Services only: rank by this, whatever experiments say")] = None,
) -> Response:
    """One's ranked feed: a new slate, or with a cursor the next page of one.

    With `If-None-Match`: 304 while there is no new post of whom one follows and one's slate may still be paged through.
    """
    if ranker is not None and not caller.is_service:
        raise ForbiddenError("Only a service may choose what ranks a feed.")
    fresh = cursor is not None or explain or ranker is not None
    slate_id = None if fresh else _slate_of(if_none_match)
    if slate_id is not None and await _nothing_new(services, actor, slate_id):
        return Response(status_code=HTTPStatus.NOT_MODIFIED.value, headers=_headers(f'W/"{slate_id}"'))
    if explain and not (caller.is_admin or services.settings.env == "dev"):
        raise ForbiddenError("Only an admin may look behind a feed.")
    if cursor is None:
        page = await services.feed.first_page(actor, limit, ranker=ranker)
    else:
        page = await services.feed.next_page(actor, cursor, limit)
    body = _page_json(page)
    if explain and page.explanation is not None:
        body["explanation"] = page.explanation.to_json()
    with STAGE_SECONDS.labels("serialize").time():
        answer = reply(body)
    if page.etag is not None:
        answer.headers.update(_headers(page.etag))
    return answer


@router.get("/feed/new")
async def new_posts(
    services: ServicesDep,
    actor: ActorDep,
    slate_id: Annotated[UUID, Query(alias="slateId", description="Of the feed one is looking at")],
) -> Response:
    """How many posts of whom one follows are new since a feed was loaded; cheap enough to ask every minute."""
    count = await services.feed.new_posts(actor, str(slate_id))
    if count is None:
        raise InvalidError("This page is too old. Please load the feed anew.", code="cursor_expired")
    return reply({"newPosts": count})


def _slate_of(if_none_match: str | None) -> str | None:
    """The slate that an entity tag of ours names; None for anything else."""
    try:
        return str(UUID((if_none_match or "").strip().removeprefix("W/").strip('"')))
    except ValueError:
        return None


async def _nothing_new(services: Services, actor: int, slate_id: str) -> bool:
    try:
        return await services.feed.new_posts(actor, slate_id) == 0
    except RedisError:
        return False  # a feed can be had without it


def _headers(etag: str) -> dict[str, str]:
    """No cache keeps a feed: a client that wants to know whether there is more says so itself."""
    return {"ETag": etag, "Cache-Control": "private, no-store"}


def _page_json(page: Page) -> dict[str, Any]:
    slate = page.slate
    explored = sum(item["source"] == "explore" for item in page.items)
    return {
        "slateId": slate.id,
        "ranking": slate.ranking,
        "model": {"name": slate.model_name, "version": slate.model_version, "engine": slate.engine}
        if slate.model_version
        else None,
        "skippedSources": slate.skipped_sources,
        "repeats": page.explanation.repeats if page.explanation else 0,
        "exploreShare": round(explored / len(page.items), 4) if page.items else 0.0,
        "items": page.items,
        "nextCursor": page.next_cursor,
    }


@router.get("/explore")
async def explore(services: ServicesDep, actor: ActorDep, limit: Limit = 30, cursor: CursorText = None) -> Response:
    """Posts of people one does not follow, ranked for oneself; pages go on like those of the feed."""
    if cursor is None:
        page = await services.feed.first_page(actor, limit, Surface.EXPLORE)
    else:
        page = await services.feed.next_page(actor, cursor, limit)
    return reply(_page_json(page))


@router.get("/search")
async def search(
    services: ServicesDep,
    actor: ActorDep,
    q: Annotated[str, Query(min_length=1, max_length=200, description="Words of caption and tags"), STORABLE],
    limit: Limit = 30,
    cursor: CursorText = None,
) -> Response:
    """Posts by words in their caption and tags, newest first; the cursor is the last post seen."""
    posts = await services.feed.posts.by_words(actor, q, before=before(cursor), limit=limit)
    return reply(page_json(posts, limit))


@router.get("/users/{user_id}/posts")
async def posts_of(
    user_id: str, services: ServicesDep, actor: ActorDep, limit: Limit = 30, cursor: CursorText = None
) -> Response:
    """A person's posts, newest first; the cursor is the last post seen."""
    author = decode_id(user_id)
    async with services.database.connection() as connection:
        await find_user(connection, author)
    posts = await services.feed.posts.by_author(actor, author, before=before(cursor), limit=limit)
    return reply(page_json(posts, limit))
