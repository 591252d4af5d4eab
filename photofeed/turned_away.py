"""What people turned away from without hiding it, in Redis: authors they unfollowed, and posts they skipped quickly.

    unfollowed:<user>  authors, by time; written by the API
    skipped:<user>     posts with author and topic, by time; written by the features worker

Both expire, and are not rebuilt after Redis was emptied: they are weak and wear off.
"""

import struct
from typing import NamedTuple, Self

UNFOLLOWED_LENGTH = 100
SKIPPED_LENGTH = 50
KEPT_SECONDS = 90 * 86_400  # three half-lives of a dislike
_LAYOUT = ">QQQ"


class SkippedPost(NamedTuple):
    """A post that somebody skipped; `topic_id` is 0 if it has no topic."""

    post_id: int
    author_id: int
    topic_id: int

    def member(self) -> bytes:
        """Its member in the sorted set."""
        return struct.pack(_LAYOUT, *self)

    @classmethod
    def of(cls, member: bytes) -> Self:
        """The post of a member."""
        return cls(*struct.unpack(_LAYOUT, member))


def unfollowed_key(user_id: int) -> str:
    """Key of the authors that a user unfollowed."""
    return f"unfollowed:{user_id}"


def skipped_key(user_id: int) -> str:
    """Key of the posts that a user skipped."""
    return f"skipped:{user_id}"
