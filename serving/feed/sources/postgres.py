"""The PostgreSQL fallback: candidates for when Redis has too few or none."""

from collections.abc import Sequence

from photofeed.action_weights import POST_POPULARITY
from photofeed.posts import PostRef
from serving.feed.candidates import Candidates
from serving.feed.query import FeedQuery
from serving.feed.source_table import Source
from serving.reads import Reads, Row, Statement
from serving.visibility import VISIBLE_TO_VIEWER

_POST = """
select p.id, p.author_id, p.topic_id, p.content_type, coalesce(m.phash, 0) as phash
from posts p join users u on u.id = p.author_id left join photo_metadata m on m.photo_id = p.id
"""
# PostgreSQL hashes a subquery; it would compare each post with every id of an array.
_NOT_IN_WITHOUT = "p.id not in (select unnest(%(without)s::bigint[]))"
# The newest posts per followed account: 5,000 accounts cost 5,000 index look-ups, and no sort of all their posts.
_FOLLOWED = Statement.of(f"""
select latest.* from follows f cross join lateral (
    {_POST} where p.author_id = f.followee_id and {_NOT_IN_WITHOUT} and {VISIBLE_TO_VIEWER}
    order by p.id desc limit %(each)s) latest
where f.follower_id = %(viewer)s order by latest.id desc limit %(limit)s
""")  # noqa: S608  constants
# The most popular of the newest `depth` posts that are not excluded: the more a viewer has seen, the older the posts.
_POPULAR = Statement.of(f"""
select id, author_id, topic_id, content_type, phash from (
    {_POST.replace("select p.id,", f"select p.id, {POST_POPULARITY} as popularity,")}
    where {_NOT_IN_WITHOUT} and p.author_id <> all(%(excluded_authors)s) and {VISIBLE_TO_VIEWER}
          and not exists (select 1 from follows f where f.follower_id = %(viewer)s and f.followee_id = p.author_id)
    order by p.id desc limit %(depth)s) latest
order by popularity desc, id desc limit %(limit)s
""")  # noqa: S608  constants
_NEWEST_PER_AUTHOR = 20
_DEPTH = 2_000


class PostgresSource:
    """Reads the tables that Redis is filled from; slower than Redis, and never empty."""

    name = "postgres"

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def followed(self, query: FeedQuery, limit: int) -> Candidates:
        """The newest posts of accounts that the viewer follows, at least one, newest first, except those shown."""
        each = max(_NEWEST_PER_AUTHOR, limit // query.viewer.following)
        rows = await self._reads.rows(
            _FOLLOWED, viewer=query.user_id, without=query.shown.tolist(), each=each, limit=limit
        )
        return _candidates(rows, Source.FOLLOWING)

    async def popular(self, query: FeedQuery, without: Sequence[int], limit: int) -> Candidates:
        """Popular posts of accounts that the viewer does not follow, except the posts `without`.

        Posts of muted and blocked accounts are left out. Fewer than `limit` only if the viewer may see no others.
        """
        rows = await self._reads.rows(
            _POPULAR,
            viewer=query.user_id,
            without=without,
            excluded_authors=[query.user_id, *query.viewer.hidden],
            depth=max(_DEPTH, limit),
            limit=limit,
        )
        return _candidates(rows, Source.POPULAR)


def _candidates(rows: Sequence[Row], source: Source) -> Candidates:
    posts = [PostRef(post, author, topic, 0, phash, kind == "reel") for post, author, topic, kind, phash in rows]
    return Candidates.from_members([post.member() for post in posts], source)
