"""Posts as a viewer sees them: read from PostgreSQL, filtered by visibility, encoded as JSON.

PostgreSQL says what is the same for all viewers in one text. A process keeps the encoded JSON of each such text, so a
page costs one look-up and one copy for each post.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from sys import intern
from typing import Any, Literal

import orjson

from photofeed.errors import NotFoundError
from photofeed.ids import encode_id
from serving.image_addresses import ImageAddresses
from serving.people_json import person_json
from serving.reads import Reads, Row, Statement
from serving.times import timestamp
from serving.visibility import VISIBLE_TO_VIEWER

# The array has what is the same for all viewers, in the order of `_card`. The other columns depend on the viewer or
# change often.
_COLUMNS = """
p.id,
json_build_array(
    p.id, u.id, u.handle, u.display_name, u.avatar_id, p.caption, p.alt_text, p.tags, p.topic, p.content_type,
    p.posted_at, p.picture)::text,
p.like_count, p.comment_count, p.save_count,
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
_BOOL = ("false", "true")
_FOLLOWED = (b"false", b"true")


@dataclass(slots=True)
class VisiblePost:
    """A post that a viewer may see. Not frozen: a page makes thirty, and that would take three times as long.

    Attributes:
        id: of the post.
        parts: of its JSON. A page joins those of all its posts at once: thirty texts of 1 KB would cost more than
            what they are made of.
        author: the author's handle, escaped as inside a JSON string.
        topic: escaped like it; may be empty.
        followed: whether the viewer follows the author.
    """

    id: int
    parts: tuple[bytes, ...]
    author: str
    topic: str
    followed: bool

    @property
    def json(self) -> bytes:
        """The post as clients see it: a `schemas.Post`."""
        return b"".join(self.parts)

    @property
    def fragment(self) -> orjson.Fragment:
        """The JSON as a part of a reply."""
        return orjson.Fragment(self.json)


@dataclass(frozen=True, slots=True)
class _Card:
    """The JSON of a post that is the same for all viewers: up to `followedByMe`, up to `images`, and the images."""

    to_followed: bytes
    to_images: bytes
    images: bytes
    author: str
    topic: str


class Posts:
    """Reads posts for a viewer; posts that the viewer may not see are left out."""

    def __init__(self, reads: Reads, images: ImageAddresses) -> None:
        self._reads = reads
        self._images = images
        self._card = lru_cache(maxsize=_CACHED_CARDS)(partial(_card, images))

    async def by_ids(self, viewer: int, post_ids: Sequence[int]) -> dict[int, VisiblePost]:
        """Visible posts, by id."""
        rows = await self._reads.rows(_BY_IDS, viewer=viewer, posts=post_ids)
        return {row[0]: self._post(viewer, row) for row in rows}

    async def for_feed(self, viewer: int, post_ids: Sequence[int]) -> dict[int, VisiblePost]:
        """Visible posts that a feed may show: none that the viewer hid or reported, nor of people that they muted.

        They may have done so since the feed was ranked.
        """
        rows = await self._reads.rows(_FOR_FEED, viewer=viewer, posts=post_ids)
        return {row[0]: self._post(viewer, row) for row in rows}

    async def by_author(self, viewer: int, author: int, *, before: int, limit: int) -> list[VisiblePost]:
        """An author's visible posts, newest first, older than the post `before`."""
        rows = await self._reads.rows(_BY_AUTHOR, viewer=viewer, author=author, before=before, limit=limit)
        return [self._post(viewer, row) for row in rows]

    async def by_words(self, viewer: int, words: str, *, before: int, limit: int) -> list[VisiblePost]:
        """Visible posts whose caption and tags have all words, newest first, older than `before`.

        A word is found by its English stem, or by its beginning.

        `words` may use the syntax of web search: "a phrase", or, -not.
        """
        rows = await self._reads.rows(_BY_WORDS, viewer=viewer, words=words, before=before, limit=limit)
        return [self._post(viewer, row) for row in rows]

    async def by_tag(self, viewer: int, tag: str, *, before: int, limit: int) -> list[VisiblePost]:
        """Visible posts with a tag, newest first, older than the post `before`."""
        rows = await self._reads.rows(_BY_TAG, viewer=viewer, tag=tag, before=before, limit=limit)
        return [self._post(viewer, row) for row in rows]

    async def by_reaction(
        self, viewer: int, reaction: Reaction, *, before: tuple[datetime, int], limit: int
    ) -> list[tuple[VisiblePost, datetime]]:
        """Visible posts that the viewer liked or saved, with the time of that, newest first.

        `before`: time and post id of the last one of the page before.
        """
        moment, post = before
        rows = await self._reads.rows(_BY_REACTION[reaction], viewer=viewer, moment=moment, before=post, limit=limit)
        return [(self._post(viewer, row[:-1]), row[-1]) for row in rows]

    async def require_visible(self, viewer: int, post_id: int) -> None:
        """Check that a viewer may see a post.

        Raises:
            NotFoundError: the post does not exist or the viewer may not see it; the error does not reveal which.
        """
        if not await self.by_ids(viewer, [post_id]):
            raise NotFoundError("There is no such post, or you may not see it.", code="post_not_found")

    def _post(self, viewer: int, row: Row) -> VisiblePost:
        post_id, content, likes, comments, saves, liked, saved, followed, is_private = row
        card = self._card(content)
        images = self._private_images(viewer, post_id, content) if is_private else card.images
        reactions = (
            f',"likeCount":{likes},"commentCount":{comments},"saveCount":{saves}'
            f',"likedByMe":{_BOOL[liked]},"savedByMe":{_BOOL[saved]}}}'
        ).encode()
        parts = (card.to_followed, _FOLLOWED[followed], card.to_images, images, reactions)
        return VisiblePost(post_id, parts, card.author, card.topic, followed)

    def _private_images(self, viewer: int, post_id: int, content: str) -> bytes:
        *_, picture = orjson.loads(content)
        return orjson.dumps(self._images.of(post_id, picture["images"], viewer=viewer, is_private=True))


def _card(addresses: ImageAddresses, content: str) -> _Card:
    """The card of a post, from the array in `_COLUMNS`."""
    (
        post_id,
        author_id,
        handle,
        display_name,
        avatar_id,
        caption,
        alt_text,
        tags,
        topic,
        content_type,
        posted_at,
        picture,
    ) = orjson.loads(content)
    images = addresses.of(post_id, picture.pop("images"), viewer=0, is_private=False)
    names = {"id": author_id, "handle": handle, "display_name": display_name, "avatar_id": avatar_id}
    described = {
        "caption": caption,
        "altText": alt_text,
        "tags": tags,
        "topic": topic,
        "contentType": content_type,
        "postedAt": timestamp(datetime.fromisoformat(posted_at)),
        **picture,
    }
    return _Card(
        b'{"id":%b,"author":{%b,"followedByMe":'
        % (orjson.dumps(encode_id(post_id)), _members(person_json(names, addresses.public_url))),
        b'},%b,"images":' % _members(described),
        orjson.dumps(images),
        _escaped(handle),
        _escaped(topic),
    )


def _escaped(name: str) -> str:
    """A name as inside a JSON string; one object for all posts that have it."""
    return intern(orjson.dumps(name)[1:-1].decode())


def _members(value: dict[str, Any]) -> bytes:
    """The JSON of an object without its braces."""
    return orjson.dumps(value)[1:-1]
