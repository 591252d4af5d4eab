"""Posts as a viewer sees them: read from PostgreSQL, checked for visibility, turned into JSON."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson

from photofeed.errors import NotFoundError
from photofeed.ids import encode_id
from serving.api.replies import timestamp
from serving.reads import Reads, Row, Statement
from serving.visibility import VISIBLE_TO_VIEWER

# First what is the same for every viewer, in the order of `_card`; then what is the viewer's own, or changes often.
_VIEW = f"""
select p.id, u.id, u.handle, u.display_name, p.caption, to_json(p.tags)::text, p.topic, p.content_type, p.posted_at,
       p.picture, p.like_count, p.comment_count, p.save_count,
       exists (select 1 from likes l where l.user_id = %(viewer)s and l.post_id = p.id),
       exists (select 1 from saves s where s.user_id = %(viewer)s and s.post_id = p.id),
       exists (select 1 from follows f where f.follower_id = %(viewer)s and f.followee_id = u.id)
from posts p join users u on u.id = p.author_id
where {VISIBLE_TO_VIEWER}
"""  # noqa: S608  a constant
_OLDER = "and p.id < %(before)s order by p.id desc limit %(limit)s"
_BY_IDS = Statement.of(f"{_VIEW} and p.id = any(%(posts)s)")
_BY_AUTHOR = Statement.of(f"{_VIEW} and p.author_id = %(author)s {_OLDER}")
_BY_WORDS = Statement.of(f"{_VIEW} and p.words @@ websearch_to_tsquery('simple', %(words)s) {_OLDER}")

_CARDS_KEPT = 16_384


class Posts:
    """Reads posts for a viewer; whatever the viewer may not see is simply not there."""

    def __init__(self, reads: Reads, public_url: str) -> None:
        self._reads = reads
        self._public_url = public_url

    async def by_ids(self, viewer: int, post_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
        """Visible posts as JSON, by id."""
        rows = await self._reads.rows(_BY_IDS, viewer=viewer, posts=post_ids)
        return {row[0]: self._json(row) for row in rows}

    async def by_author(self, viewer: int, author: int, *, before: int, limit: int) -> list[dict[str, Any]]:
        """An author's visible posts as JSON, newest first, older than the post `before`."""
        rows = await self._reads.rows(_BY_AUTHOR, viewer=viewer, author=author, before=before, limit=limit)
        return [self._json(row) for row in rows]

    async def by_words(self, viewer: int, words: str, *, before: int, limit: int) -> list[dict[str, Any]]:
        """Visible posts whose caption or tags have all the words, as JSON, newest first, older than `before`.

        `words` may use what people know from web search: "a phrase", or, -not.
        """
        rows = await self._reads.rows(_BY_WORDS, viewer=viewer, words=words, before=before, limit=limit)
        return [self._json(row) for row in rows]

    async def require_visible(self, viewer: int, post_id: int) -> None:
        """Make sure that a viewer may see a post.

        Raises:
            NotFoundError: they may not, or there is none; which of the two is not said.
        """
        if not await self.by_ids(viewer, [post_id]):
            raise NotFoundError("There is no such post for you.", code="post_not_found")

    def _json(self, row: Row) -> dict[str, Any]:
        *columns, likes, comments, saves, liked, saved, followed = row
        card, author = _card(self._public_url, *columns)
        return {
            **card,
            "author": {**author, "followedByMe": followed},
            "likeCount": likes,
            "commentCount": comments,
            "saveCount": saves,
            "likedByMe": liked,
            "savedByMe": saved,
        }


@lru_cache(maxsize=_CARDS_KEPT)
def _card(
    public_url: str,
    post_id: int,
    author_id: int,
    handle: str,
    display_name: str,
    caption: str,
    tags: str,
    topic: str,
    content_type: str,
    posted_at: datetime,
    picture: str,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What every viewer is shown of a post, and of its author; all that it depends on is in the arguments."""
    spelt = encode_id(post_id)
    shown = orjson.loads(picture)
    images = images_json(public_url, spelt, shown.pop("images"))
    card = {
        "id": spelt,
        "author": None,
        "caption": caption,
        "tags": orjson.loads(tags),
        "topic": topic,
        "contentType": content_type,
        "postedAt": timestamp(posted_at),
        **shown,
        "images": orjson.Fragment(orjson.dumps(images)),
    }
    return card, {"id": encode_id(author_id), "handle": handle, "displayName": display_name}


def images_json(public_url: str, photo_id: str, sizes: Iterable[tuple[int, int, int]]) -> dict[str, dict[str, Any]]:
    """A photo's images by size, from (size, width, height); the address leaves the format to the client's `Accept`."""
    return {
        str(size): {"url": f"{public_url}/photos/{photo_id}/{size}", "width": width, "height": height}
        for size, width, height in sorted(sizes)
    }
