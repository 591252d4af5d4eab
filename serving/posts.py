"""Posts as a viewer sees them: read from PostgreSQL, checked for visibility, turned into JSON."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from photofeed.errors import NotFoundError
from photofeed.ids import encode_id
from serving.api.replies import timestamp
from serving.visibility import VISIBLE_TO_VIEWER

_VIEW = f"""
select p.id, p.caption, p.tags, p.topic, p.content_type, p.posted_at, p.like_count, p.comment_count, p.save_count,
       ph.width, ph.height, ph.blurhash, ph.dominant_color, ph.variants::text,
       u.id as author_id, u.handle, u.display_name,
       exists (select 1 from likes l where l.user_id = %(viewer)s and l.post_id = p.id) as liked,
       exists (select 1 from saves s where s.user_id = %(viewer)s and s.post_id = p.id) as saved,
       exists (select 1 from follows f where f.follower_id = %(viewer)s and f.followee_id = u.id) as followed
from posts p join photos ph on ph.id = p.id join users u on u.id = p.author_id
where {VISIBLE_TO_VIEWER}
"""  # noqa: S608  a constant
_BY_IDS = f"{_VIEW} and p.id = any(%(posts)s)"
_BY_AUTHOR = f"{_VIEW} and p.author_id = %(author)s and p.id < %(before)s order by p.id desc limit %(limit)s"

_BY_WORDS = f"""
{_VIEW} and p.words @@ websearch_to_tsquery('simple', %(words)s) and p.id < %(before)s
order by p.id desc limit %(limit)s
"""


_PHOTOS_KEPT = 8_192


class Posts:
    """Reads posts for a viewer; whatever the viewer may not see is simply not there."""

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url

    async def by_ids(
        self, connection: AsyncConnection[DictRow], viewer: int, post_ids: Sequence[int]
    ) -> dict[int, dict[str, Any]]:
        """Visible posts as JSON, by id."""
        rows = await connection.execute(_BY_IDS, {"viewer": viewer, "posts": list(post_ids)})
        return {row["id"]: self._json(row) for row in await rows.fetchall()}

    async def by_author(
        self, connection: AsyncConnection[DictRow], viewer: int, author: int, *, before: int, limit: int
    ) -> list[dict[str, Any]]:
        """An author's visible posts as JSON, newest first, older than the post `before`."""
        arguments = {"viewer": viewer, "author": author, "before": before, "limit": limit}
        rows = await connection.execute(_BY_AUTHOR, arguments)
        return [self._json(row) for row in await rows.fetchall()]

    async def by_words(
        self, connection: AsyncConnection[DictRow], viewer: int, words: str, *, before: int, limit: int
    ) -> list[dict[str, Any]]:
        """Visible posts whose caption or tags have all the words, as JSON, newest first, older than `before`.

        `words` may use what people know from web search: "a phrase", or, -not.
        """
        arguments = {"viewer": viewer, "words": words, "before": before, "limit": limit}
        rows = await connection.execute(_BY_WORDS, arguments)
        return [self._json(row) for row in await rows.fetchall()]

    async def require_visible(self, connection: AsyncConnection[DictRow], viewer: int, post_id: int) -> None:
        """Make sure that a viewer may see a post.

        Raises:
            NotFoundError: they may not, or there is none; which of the two is not said.
        """
        if not await self.by_ids(connection, viewer, [post_id]):
            raise NotFoundError("There is no such post for you.", code="post_not_found")

    def _json(self, row: DictRow) -> dict[str, Any]:
        post_id = encode_id(row["id"])
        return {
            "id": post_id,
            "author": {
                "id": encode_id(row["author_id"]),
                "handle": row["handle"],
                "displayName": row["display_name"],
                "followedByMe": row["followed"],
            },
            "caption": row["caption"],
            "tags": row["tags"],
            "topic": row["topic"],
            "contentType": row["content_type"],
            "postedAt": timestamp(row["posted_at"]),
            "width": row["width"],
            "height": row["height"],
            "blurhash": row["blurhash"],
            "dominantColor": row["dominant_color"],
            "images": _images(self._public_url, post_id, row["variants"]),
            "likeCount": row["like_count"],
            "commentCount": row["comment_count"],
            "saveCount": row["save_count"],
            "likedByMe": row["liked"],
            "savedByMe": row["saved"],
        }


@lru_cache(maxsize=_PHOTOS_KEPT)
def _images(public_url: str, photo_id: str, variants: str) -> orjson.Fragment:
    """`images_json` as finished bytes; they only change when the variants do, which are part of the key."""
    return orjson.Fragment(orjson.dumps(images_json(public_url, photo_id, orjson.loads(variants))))


def images_json(public_url: str, photo_id: str, variants: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """A photo's images by size; the address leaves the format to the client's `Accept`."""
    return {
        str(variant["size"]): {
            "url": f"{public_url}/photos/{photo_id}/{variant['size']}",
            "width": variant["width"],
            "height": variant["height"],
        }
        for variant in sorted(variants, key=lambda v: int(v["size"]))
    }
