"""The ranked feed, explore, search, and profiles."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from photofeed.errors import ForbiddenError, InvalidError, NotFoundError
from photofeed.ids import decode_id
from serving.api.replies import reply
from serving.api.users import find_user
from serving.feed.pipeline import Page, Surface
from serving.services import ActorDep, CallerDep, ServicesDep

router = APIRouter(prefix="/v1", tags=["feed"])

Limit = Annotated[int, Query(ge=1, le=100)]
CursorText = Annotated[str | None, Query(max_length=1000, alias="cursor")]


@router.get("/feed")
async def feed(
    services: ServicesDep,
    caller: CallerDep,
    actor: ActorDep,
    limit: Limit = 30,
    cursor: CursorText = None,
    explain: Annotated[bool, Query(description="Admins, or one's own feed in development: why it looks so")] = False,
) -> Response:
    """One's ranked feed: a new slate, or with a cursor the next page of one."""
    if explain and not (caller.is_admin or services.settings.env == "dev"):
        raise ForbiddenError("Only an admin may look behind a feed.")
    if cursor is None:
        page = await services.feed.first_page(actor, limit)
    else:
        page = await services.feed.next_page(actor, cursor, limit)
    body = _page_json(page)
    if explain and page.explanation is not None:
        body["explanation"] = page.explanation.to_json()
    return reply(body)


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
    q: Annotated[str, Query(min_length=1, max_length=200, description="Words of caption and tags")],
    limit: Limit = 30,
    cursor: CursorText = None,
) -> Response:
    """Posts by words in their caption and tags, newest first; the cursor is the last post seen."""
    async with services.database.connection() as connection:
        posts = await services.feed.posts.by_words(connection, actor, q, before=_before(cursor), limit=limit)
    return reply({"items": posts, "nextCursor": posts[-1]["id"] if len(posts) == limit else None})


@router.get("/users/{user_id}/posts")
async def posts_of(
    user_id: str, services: ServicesDep, actor: ActorDep, limit: Limit = 30, cursor: CursorText = None
) -> Response:
    """A person's posts, newest first; the cursor is the last post seen."""
    author = decode_id(user_id)
    async with services.database.connection() as connection:
        await find_user(connection, author)
        before = _before(cursor)
        posts = await services.feed.posts.by_author(connection, actor, author, before=before, limit=limit)
    return reply({"items": posts, "nextCursor": posts[-1]["id"] if len(posts) == limit else None})


def _before(cursor: str | None) -> int:
    if cursor is None:
        return 2**63 - 1
    try:
        return decode_id(cursor)
    except NotFoundError as error:
        raise InvalidError("This is no cursor of this list.", code="cursor_invalid") from error
