"""Items that a person may like, from PostgreSQL: there are no pools of items.

neighbours  liked by people who liked what the person recently liked
topics      of the topics of what the person recently liked, newest first
popular     most liked, saved and commented of the newest
fresh       newest
"""

from dataclasses import dataclass

import numpy as np

from photofeed.action_weights import POST_POPULARITY
from photofeed.posts import PostRef
from serving.feed.candidates import Candidates
from serving.feed.source_table import Source
from serving.reads import Reads, Statement

_DEPTH = 5_000  # popular items are the most popular of so many, the newest
_LIKED, _TOPICS, _PEOPLE, _OF_PERSON = 20, 5, 50, 50

_FOUND = Statement.of(f"""
with liked as materialized (
    select p.id, p.topic_id, p.topic, l.created_at from likes l join posts p on p.id = l.post_id
    where l.user_id = %(viewer)s and p.content_type = 'item' order by l.created_at desc limit {_LIKED}
), topics as (
    select topic_id from liked where topic <> '' group by topic_id order by max(created_at) desc limit {_TOPICS}
), found (id, source, strength) as (
    (select theirs.post_id, {int(Source.NEIGHBOURS)}, count(*)::float8
     from liked
     cross join lateral (
        select user_id from likes where post_id = liked.id and user_id <> %(viewer)s
        order by created_at desc limit {_PEOPLE}) alike
     cross join lateral (
        select post_id from likes where user_id = alike.user_id order by created_at desc limit {_OF_PERSON}) theirs
     group by 1 order by 3 desc limit %(limit)s)
    union all
    (select latest.id, {int(Source.TOPICS)}, latest.id::float8
     from topics cross join lateral (
        select id from posts where topic_id = topics.topic_id and content_type = 'item'
        order by id desc limit %(limit)s) latest
     order by 3 desc limit %(limit)s)
    union all
    (select p.id, {int(Source.POPULAR)}, ({POST_POPULARITY})::float8
     from (select * from posts where content_type = 'item' order by id desc limit {_DEPTH}) p
     order by 3 desc, 1 desc limit %(limit)s)
    union all
    (select id, {int(Source.FRESH)}, id::float8 from posts where content_type = 'item' order by 1 desc limit %(limit)s)
)
select p.id, coalesce(p.author_id, p.id), p.topic_id, found.source
from found join posts p on p.id = found.id join external_ids e on e.post_id = p.id
where p.content_type = 'item' and e.available and e.described_at is not null
    and p.id not in (select id from liked)
order by found.source, found.strength desc, p.id desc
""")  # noqa: S608  constants


@dataclass(frozen=True, slots=True)
class ItemSource:
    """Reads all four in one statement."""

    reads: Reads

    async def fetch(self, viewer: int, limit: int) -> Candidates:
        """At most `limit` described and available items, a quarter from each source, and more where others have few.

        Raises:
            ReadError: PostgreSQL did not answer.
        """
        rows = await self.reads.rows(_FOUND, viewer=viewer, limit=limit)
        refs = [PostRef(post, author, topic, 0).member() for post, author, topic, _ in rows]
        candidates = Candidates.from_members(refs, Source.FRESH)
        candidates.sources[:] = [source for *_, source in rows]
        merged = Candidates.merge([candidates])
        # the best of each source first, then the second best of each, ...
        ranks = np.zeros(len(merged), np.int64)
        for source in np.unique(merged.sources):
            of_source = merged.sources == source
            ranks[of_source] = np.arange(np.count_nonzero(of_source))
        return merged.take(np.argsort(ranks, kind="stable")[:limit])
