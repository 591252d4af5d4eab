"""The ranked feed and explore."""

import contextlib
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Header, Query
from fastapi.responses import Response
from redis.exceptions import RedisError

from photofeed.errors import ForbiddenError, InvalidError
from photofeed.experiments import Ranker
from serving.api.declared import NO_USER, OLD_CURSOR, returns, sends_nothing
from serving.api.lists import CursorText, Limit
from serving.api.replies import reply
from serving.api.schemas import FeedPage, NewPosts
from serving.api.versions import entity_tags
from serving.feed.pipeline import Page
from serving.feed.slate import EXPIRED, Surface
from serving.feed.stage_times import timed
from serving.feed.version import PageVersion
from serving.services import ActorDep, CallerDep, Services, ServicesDep, ViewerDep

_MOST_VERSIONS = 4  # of one If-None-Match; a client has one

FEED_PATH = "/v1/feed"
FIRST_PAGE_LENGTH = 30

router = APIRouter(tags=["feed"])


@router.get(
    FEED_PATH,
    responses=returns(FeedPage, "ETag", "Cache-Control")
    | sends_nothing("ETag", "Cache-Control", status=HTTPStatus.NOT_MODIFIED, description="No new posts")
    | OLD_CURSOR
    | NO_USER,
)
async def get_feed(
    services: ServicesDep,
    caller: CallerDep,
    actor: ViewerDep,
    limit: Limit = FIRST_PAGE_LENGTH,
    cursor: CursorText = None,
    if_none_match: Annotated[
        str | None, Header(max_length=1000, description="ETag of the first page of your last feed")
    ] = None,
    explain: Annotated[
        bool,
        Query(
            description="Include ranking details. Admins only (for the user in `Act-As`); in development, for yourself"
        ),
    ] = False,
    ranker: Annotated[
        Ranker | None, Query(description="Services only: rank by this ranker instead of the experiment's")
    ] = None,
) -> Response:
    """Get your ranked feed: the first page of a new slate or, with a cursor, the next page.

    When a slate is used up, the next page begins another one, of posts that the feed has not shown yet: `slateId`
    changes, and `position` counts on. A feed ends when nothing is left, or after 10,000 posts.

    With `If-None-Match`, the reply is 304 if accounts you follow have no new posts, all posts of your page may still
    be shown, you follow, mute and block the same people, and your slate has not expired. The page must have been
    loaded with the same `limit`.
    """
    if ranker is not None and not caller.is_service:
        raise ForbiddenError("Only a service may choose the ranker of a feed.")
    always_rank = cursor is not None or explain or ranker is not None
    known = None if always_rank else await _current_version(services, actor, limit, if_none_match or "")
    if known is not None:
        return Response(status_code=HTTPStatus.NOT_MODIFIED.value, headers=_headers(known.etag))
    if explain and not (caller.is_admin or services.settings.is_development):
        raise ForbiddenError("Only an admin may request the explanation of a feed.")
    if cursor is None:
        page = await services.feed.first_page(actor, limit, ranker=ranker)
    else:
        page = await services.feed.next_page(actor, cursor, limit)
    return page_reply(page, explain=explain)


def page_reply(page: Page, *, explain: bool = False) -> Response:
    """The reply with a page of a feed."""
    body = _page_json(page)
    if explain and page.explanation is not None:
        body["explanation"] = page.explanation.to_json()
    with timed("serialize"):
        answer = reply(body)
    if page.etag is not None:
        answer.raw_headers += [(name.lower().encode(), value.encode()) for name, value in _headers(page.etag).items()]
    return answer


@router.get(
    f"{FEED_PATH}/new",
    responses=returns(NewPosts) | OLD_CURSOR | NO_USER,
)
async def count_new_posts(
    services: ServicesDep,
    actor: ActorDep,
    slate_id: Annotated[UUID, Query(alias="slateId", description="`slateId` of the newest page of your feed")],
) -> Response:
    """Count the posts of accounts you follow that are new since your feed was loaded.

    The call is cheap: clients may poll it every minute.
    """
    count = await services.feed.new_posts(actor, str(slate_id))
    if count is None:
        raise InvalidError(EXPIRED, code="cursor_expired")
    return reply({"newPosts": count})


async def _current_version(services: Services, actor: int, limit: int, if_none_match: str) -> PageVersion | None:
    """The first version of an `If-None-Match` that is for this limit and still right."""
    versions = [PageVersion.read(tag) for tag in entity_tags(if_none_match)]
    for version in versions[:_MOST_VERSIONS]:
        if version is not None and version.limit == limit:
            with contextlib.suppress(RedisError):  # a feed can be ranked without Redis
                if await services.feed.is_current(actor, version):
                    return version
    return None


def _headers(etag: str) -> dict[str, str]:
    """Headers of a feed: caches must not store it, and clients revalidate it by its entity tag."""
    return {"ETag": etag, "Cache-Control": "private, no-store"}


def _page_json(page: Page) -> dict[str, Any]:
    slate = page.slate
    return {
        "slateId": slate.id,
        "ranking": slate.ranking,
        "insteadOf": slate.instead_of,
        "model": {"name": slate.model_name, "version": slate.model_version, "engine": slate.engine}
        if slate.model_version
        else None,
        "skippedSources": slate.skipped_sources,
        "repeats": slate.repeats,
        "exploreShare": round(page.explored / len(page.post_ids), 4) if page.post_ids else 0.0,
        "items": orjson.Fragment(page.items),
        "nextCursor": page.next_cursor,
    }


@router.get(
    "/v1/explore",
    responses=returns(FeedPage) | OLD_CURSOR | NO_USER,
)
async def get_explore(services: ServicesDep, actor: ActorDep, limit: Limit = 30, cursor: CursorText = None) -> Response:
    """Get ranked posts of people you do not follow; pages work as in the feed."""
    if cursor is None:
        page = await services.feed.first_page(actor, limit, Surface.EXPLORE)
    else:
        page = await services.feed.next_page(actor, cursor, limit)
    return reply(_page_json(page))
