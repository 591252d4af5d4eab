"""What a viewer dislikes, with the weight that each still has.

Posts that they have hidden or reported, people whom they have reported, and authors of comments that they reported:
these are read from PostgreSQL. Authors that they unfollowed and posts that they skipped quickly are read from Redis.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np

from photofeed.action_weights import UNWELCOME_WEIGHTS
from photofeed.arrays import FloatArray
from photofeed.events import Action
from photofeed.features.decay import decay
from photofeed.turned_away import SkippedPost
from serving.feed.candidates import Ids

HALF_LIFE_SECONDS = 30 * 86_400.0  # after this time a hide weighs half as much
LATEST = 200  # of each kind that are read
UNFOLLOW_WEIGHT = 1.0
SKIP_WEIGHT, LARGEST_SKIP_WEIGHT = 0.1, 0.5  # of one quick skip, and of all those of an author
_HIDE, _REPORT = UNWELCOME_WEIGHTS[Action.HIDE], UNWELCOME_WEIGHTS[Action.REPORT]

# SQL: the six columns of `Dislikes.of`, one row; null if there are none.
DISLIKED = f"""
select array_agg(post_id), array_agg(author_id), array_agg(topic_id), array_agg(phash),
       array_agg(weight), array_agg(extract(epoch from created_at)::float8)
from (
    select p.id as post_id, coalesce(p.author_id, p.id) as author_id, p.topic_id, coalesce(m.phash, 0) as phash,
           d.weight, d.created_at
    from (
        (select post_id, created_at, {_HIDE}::float8 as weight from hides
         where user_id = %(me)s order by created_at desc limit {LATEST})
        union all
        (select post_id, created_at, {_REPORT}::float8 from reports
         where user_id = %(me)s order by created_at desc limit {LATEST})
    ) d join posts p on p.id = d.post_id left join photo_metadata m on m.photo_id = p.id
    union all
    (select 0, person_id, 0, 0, {_REPORT}::float8, created_at from person_reports
     where user_id = %(me)s order by created_at desc limit {LATEST})
    union all
    (select 0, c.user_id, 0, 0, {_HIDE}::float8, r.created_at
     from comment_reports r join comments c on c.id = r.comment_id
     where r.user_id = %(me)s order by r.created_at desc limit {LATEST})
) disliked
"""  # noqa: S608  constants


def _no_ids() -> Ids:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Dislikes:
    """Dislikes as columns, (n,): posts, authors, topics, perceptual hashes (each 0 if unknown), weight, and time.

    `weights` are hides: 1 for a hidden post, a reported comment or an unfollow, 3 for a reported post or person, less
    for a quick skip, at `seconds` since 1970.
    """

    post_ids: Ids = field(default_factory=_no_ids)
    author_ids: Ids = field(default_factory=_no_ids)
    topic_ids: Ids = field(default_factory=_no_ids)
    hashes: Ids = field(default_factory=_no_ids)
    weights: FloatArray = field(default_factory=lambda: np.zeros(0))
    seconds: FloatArray = field(default_factory=lambda: np.zeros(0))

    def __len__(self) -> int:
        return len(self.post_ids)

    @classmethod
    def of(cls, columns: Sequence[Any]) -> Self:
        """The dislikes in a row of DISLIKED."""
        if columns[0] is None:
            return cls()
        posts, authors, topics, hashes = (np.array(each, np.int64) for each in columns[:4])
        return cls(posts, authors, topics, hashes, np.array(columns[4]), np.array(columns[5]))

    @classmethod
    def turned_away(cls, unfollowed: Mapping[int, float], skipped: Mapping[SkippedPost, float]) -> Self:
        """Unfollowed authors and skipped posts, each with its time in seconds since 1970.

        Skipped posts are not among `post_ids`: they may be shown again.
        """
        if not unfollowed and not skipped:
            return cls()
        authors = np.array([*unfollowed, *(post.author_id for post in skipped)], np.int64)
        _, author, skips = np.unique(authors[len(unfollowed) :], return_inverse=True, return_counts=True)
        each = np.minimum(SKIP_WEIGHT, LARGEST_SKIP_WEIGHT / skips[author])
        nothing = np.zeros(len(authors), np.int64)
        return cls(
            nothing,
            authors,
            np.array([*(0 for _ in unfollowed), *(post.topic_id for post in skipped)], np.int64),
            nothing,
            np.concatenate([np.full(len(unfollowed), UNFOLLOW_WEIGHT), each]),
            np.array([*unfollowed.values(), *skipped.values()], np.float64),
        )

    def followed_by(self, other: Self) -> Self:
        """These dislikes and those of `other`."""
        if not len(other):
            return self
        return type(self)(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))

    def left(self, now: float) -> FloatArray:
        """What is left of each weight at a time in seconds since 1970, (n,)."""
        return decay(self.weights, np.maximum(now - self.seconds, 0.0), HALF_LIFE_SECONDS)
