"""Tags: suggestions while somebody types, and the posts of one."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from serving.api.declared import BAD_CURSOR, returns
from serving.api.fields import STORABLE, plain_tag
from serving.api.lists import CursorText, Limit, before, posts_page
from serving.api.replies import reply
from serving.api.schemas import PostPage, TagSuggestions
from serving.services import ActorDep, ServicesDep

router = APIRouter(prefix="/v1", tags=["posts"])

_NEWEST = 10_000  # posts that suggestions are counted in
_SUGGEST = """
select tag, count(*) as posts
from (select p.tags from posts p join users u on u.id = p.author_id
      where p.visible and not u.is_private order by p.id desc limit %(newest)s) newest, unnest(newest.tags) tag
where starts_with(tag, %(begins)s)
group by tag order by posts desc, tag limit %(limit)s
"""


@router.get(
    "/tags",
    responses=returns(TagSuggestions),
)
async def suggest_tags(
    services: ServicesDep,
    _: ActorDep,
    q: Annotated[str, Query(max_length=50, description="How the tag begins; empty for the most used"), STORABLE] = "",
    limit: Annotated[int, Query(ge=1, le=50, description="Maximum number of items")] = 10,
) -> Response:
    """Suggest tags, the most used first, counted in the newest 10,000 posts of public accounts."""
    arguments = {"begins": plain_tag(q), "limit": limit, "newest": _NEWEST}
    async with services.database.connection() as connection:
        rows = await connection.execute(_SUGGEST, arguments)
        items = [{"tag": row["tag"], "postCount": row["posts"]} async for row in rows]
    return reply({"items": items})


@router.get(
    "/tags/{tag}/posts",
    responses=returns(PostPage) | BAD_CURSOR,
)
async def list_posts_of_tag(
    tag: Annotated[str, Path(min_length=1, max_length=50, description="With or without #"), STORABLE],
    services: ServicesDep,
    actor: ActorDep,
    limit: Limit = 30,
    cursor: CursorText = None,
) -> Response:
    """List the posts with a tag, newest first; of private accounts only those you follow."""
    posts = await services.posts.by_tag(actor, plain_tag(tag), before=before(cursor), limit=limit + 1)
    return reply(posts_page(posts, limit))
