"""The archive: candidates from PostgreSQL, for when Redis has too few or none at all."""

from collections.abc import Sequence

from photofeed.posts import PostRef
from serving.feed.candidates import Candidates, Source
from serving.feed.query import FeedQuery
from serving.reads import Reads, Row, Statement
from serving.visibility import VISIBLE_TO_VIEWER

_POST = """
select p.id, p.author_id, p.topic_id, p.content_type, coalesce(m.phash, 0) as phash
from posts p join users u on u.id = p.author_id left join photo_metadata m on m.photo_id = p.id
"""
# The latest of each account followed, so that 5,000 of them cost 5,000 index look-ups and no sort of all their posts.
_FOLLOWED = Statement.of(f"""
select latest.* from follows f cross join lateral (
    {_POST} where p.author_id = f.followee_id and {VISIBLE_TO_VIEWER} order by p.id desc limit %(each)s) latest
where f.follower_id = %(viewer)s order by latest.id desc limit %(limit)s
""")  # noqa: S608  constants
# The most liked among the latest that are not left out: the deeper somebody has looked, the older they get.
_POPULAR = Statement.of(f"""
select id, author_id, topic_id, content_type, phash from (
    {_POST.replace("select p.id,", "select p.id, p.like_count + p.save_count + p.comment_count as popularity,")}
    where p.id <> all(%(without)s) and p.author_id <> all(%(apart_from)s) and {VISIBLE_TO_VIEWER}
          and not exists (select 1 from follows f where f.follower_id = %(viewer)s and f.followee_id = p.author_id)
    order by p.id desc limit %(depth)s) latest
order by popularity desc, id desc limit %(limit)s
""")  # noqa: S608  constants
_LATEST_OF_EACH = 20
_DEPTH = 2_000


class Archive:
    """Reads what Redis is made from; slower, and always there."""

    name = "archive"

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def followed(self, query: FeedQuery, limit: int) -> Candidates:
        """The latest posts of whom the viewer follows, newest first."""
        rows = await self._reads.rows(_FOLLOWED, viewer=query.user_id, each=_LATEST_OF_EACH, limit=limit)
        return _candidates(rows, Source.FOLLOWING)

    async def popular(self, query: FeedQuery, without: Sequence[int], limit: int) -> Candidates:
        """Popular posts of strangers, but those `without`, and those of people muted or blocked.

        Fewer than `limit` only if the viewer may see no others.
        """
        rows = await self._reads.rows(
            _POPULAR,
            viewer=query.user_id,
            without=without,
            apart_from=[query.user_id, *query.viewer.hidden],
            depth=max(_DEPTH, limit),
            limit=limit,
        )
        return _candidates(rows, Source.POPULAR)


def _candidates(rows: Sequence[Row], source: Source) -> Candidates:
    posts = [PostRef(post, author, topic, 0, phash, kind == "reel") for post, author, topic, kind, phash in rows]
    return Candidates.from_members([post.member() for post in posts], source)
