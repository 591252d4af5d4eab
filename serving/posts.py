"""Posts as a viewer sees them: read from PostgreSQL, filtered by visibility, encoded as JSON."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

import orjson

from photofeed.errors import NotFoundError
from photofeed.ids import encode_id
from serving.image_addresses import ImageAddresses
from serving.people_json import person_json
from serving.reads import Reads, Row, Statement
from serving.times import timestamp
from serving.visibility import VISIBLE_TO_VIEWER

# First the columns that are the same for all viewers, in the order of `_card`; then those that depend on the viewer or
# change often.
_COLUMNS = """
p.id, u.id, u.handle, u.display_name, u.avatar_id, p.caption, p.alt_text, to_json(p.tags)::text, p.topic,
p.content_type, p.posted_at, p.picture, p.like_count, p.comment_count, p.save_count,
exists (select 1 from likes l where l.user_id = %(viewer)s and l.post_id = p.id),
exists (select 1 from saves s where s.user_id = %(viewer)s and s.post_id = p.id),
exists (select 1 from follows f where f.follower_id = %(viewer)s and f.followee_id = u.id),
u.is_private
"""
_VIEW = f"""
select {_COLUMNS} from posts p join users u on u.id = p.author_id where {VISIBLE_TO_VIEWER}
"""  # noqa: S608  constants
_REACTED = f"""
select {_COLUMNS}, r.created_at
from {{table}} r join posts p on p.id = r.post_id join users u on u.id = p.author_id
where r.user_id = %(viewer)s and (r.created_at, r.post_id) < (%(moment)s, %(before)s) and {VISIBLE_TO_VIEWER}
order by r.created_at desc, r.post_id desc limit %(limit)s
"""  # noqa: S608  constants
_OLDER = "and p.id < %(before)s order by p.id desc limit %(limit)s"
_SELECTED = f"{_VIEW} and p.id = any(%(posts)s)"
# Redis knows the posts that the viewer hid or reported when the features worker has counted the event.
_WANTED = """
not exists (select 1 from mutes m where m.muter_id = %(viewer)s and m.muted_id = u.id)
and not exists (select 1 from hides h where h.user_id = %(viewer)s and h.post_id = p.id)
and not exists (select 1 from reports r where r.user_id = %(viewer)s and r.post_id = p.id)
"""
_BY_IDS, _FOR_FEED = Statement.of(_SELECTED), Statement.of(f"{_SELECTED} and {_WANTED}")
_BY_AUTHOR = Statement.of(f"{_VIEW} and p.author_id = %(author)s {_OLDER}")
_BY_WORDS = Statement.of(f"{_VIEW} and p.words @@ post_query(%(words)s) {_OLDER}")
_BY_TAG = Statement.of(f"{_VIEW} and p.tags @> array[%(tag)s::text] {_OLDER}")
_BY_REACTION = {table: Statement.of(_REACTED.format(table=table)) for table in ("likes", "saves")}

Reaction = Literal["likes", "saves"]

_CACHED_CARDS = 16_384
_PICTURE = 11  # index of p.picture in _COLUMNS


class Posts:
    """Reads posts for a viewer; posts that the viewer may not see are left out."""

    def __init__(self, reads: Reads, images: ImageAddresses) -> None:
        self._reads = reads
        self._images = images

    async def by_ids(self, viewer: int, post_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
        """Visible posts as JSON, by id."""
        rows = await self._reads.rows(_BY_IDS, viewer=viewer, posts=post_ids)
        return {row[0]: self._json(viewer, row) for row in rows}

    async def for_feed(self, viewer: int, post_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
        """Visible posts that a feed may show: none that the viewer hid or reported, nor of people that they muted.

        They may have done so since the feed was ranked.
        """
        rows = await self._reads.rows(_FOR_FEED, viewer=viewer, posts=post_ids)
        return {row[0]: self._json(viewer, row) for row in rows}

    async def by_author(self, viewer: int, author: int, *, before: int, limit: int) -> list[dict[str, Any]]:
        """An author's visible posts as JSON, newest first, older than the post `before`."""
        rows = await self._reads.rows(_BY_AUTHOR, viewer=viewer, author=author, before=before, limit=limit)
        return [self._json(viewer, row) for row in rows]

    async def by_words(self, viewer: int, words: str, *, before: int, limit: int) -> list[dict[str, Any]]:
        """Visible posts whose caption and tags have all words, as JSON, newest first, older than `before`.

        A word is found by its English stem, or by its beginning.

        `words` may use the syntax of web search: "a phrase", or, -not.
        """
        rows = await self._reads.rows(_BY_WORDS, viewer=viewer, words=words, before=before, limit=limit)
        return [self._json(viewer, row) for row in rows]

    async def by_tag(self, viewer: int, tag: str, *, before: int, limit: int) -> list[dict[str, Any]]:
        """Visible posts with a tag as JSON, newest first, older than the post `before`."""
        rows = await self._reads.rows(_BY_TAG, viewer=viewer, tag=tag, before=before, limit=limit)
        return [self._json(viewer, row) for row in rows]

    async def by_reaction(
        self, viewer: int, reaction: Reaction, *, before: tuple[datetime, int], limit: int
    ) -> list[tuple[dict[str, Any], datetime]]:
        """Visible posts that the viewer liked or saved, as JSON, with the time of that, newest first.

        `before`: time and post id of the last one of the page before.
        """
        moment, post = before
        rows = await self._reads.rows(_BY_REACTION[reaction], viewer=viewer, moment=moment, before=post, limit=limit)
        return [(self._json(viewer, row[:-1]), row[-1]) for row in rows]

    async def require_visible(self, viewer: int, post_id: int) -> None:
        """Check that a viewer may see a post.

        Raises:
            NotFoundError: the post does not exist or the viewer may not see it; the error does not reveal which.
        """
        if not await self.by_ids(viewer, [post_id]):
            raise NotFoundError("There is no such post, or you may not see it.", code="post_not_found")

    def _json(self, viewer: int, row: Row) -> dict[str, Any]:
        *columns, likes, comments, saves, liked, saved, followed, is_private = row
        card, author = _card(self._images, *columns)
        if is_private:
            post_id, picture = columns[0], columns[_PICTURE]
            sizes = orjson.loads(picture)["images"]
            card = card | {"images": self._images.of(post_id, sizes, viewer=viewer, is_private=True)}
        return {
            **card,
            "author": {**author, "followedByMe": followed},
            "likeCount": likes,
            "commentCount": comments,
            "saveCount": saves,
            "likedByMe": liked,
            "savedByMe": saved,
        }


@lru_cache(maxsize=_CACHED_CARDS)
def _card(
    addresses: ImageAddresses,
    post_id: int,
    author_id: int,
    handle: str,
    display_name: str,
    avatar_id: int | None,
    caption: str,
    alt_text: str,
    tags: str,
    topic: str,
    content_type: str,
    posted_at: datetime,
    picture: str,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The JSON of a post and of its author that is the same for all viewers. Cached by its arguments."""
    encoded_id = encode_id(post_id)
    photo = orjson.loads(picture)
    images = addresses.of(post_id, photo.pop("images"), viewer=0, is_private=False)
    card = {
        "id": encoded_id,
        "author": None,
        "caption": caption,
        "altText": alt_text,
        "tags": orjson.loads(tags),
        "topic": topic,
        "contentType": content_type,
        "postedAt": timestamp(posted_at),
        **photo,
        "images": orjson.Fragment(orjson.dumps(images)),
    }
    names = {"id": author_id, "handle": handle, "display_name": display_name, "avatar_id": avatar_id}
    return card, person_json(names, addresses.public_url)
