"""Deliveries that PostgreSQL confirms after they were written.

Messages about posts and about follows are in different topics, and several workers handle them, so a delivery may be
based on what is no longer so: the post was deleted, or the follower has left. The message that says so takes back what
it finds. What is written after it must be taken back by its writer, who therefore looks again at PostgreSQL.
"""

from collections.abc import Sequence

from ingestion.followers import followers_of
from photofeed.database import Database
from photofeed.posts import PostRef, post_of
from photofeed.timelines import TimelineWriter

_IN_TIMELINE = """
select p.id from posts p join follows f on f.followee_id = p.author_id and f.follower_id = %s
where p.id = any(%s) and p.visible
"""
_SHOWN = "select 1 from posts where id = %s and visible"


def is_shown(database: Database, post_id: int) -> bool:
    """Whether a post exists and is not hidden."""
    with database.connection() as connection:
        return connection.execute(_SHOWN, (post_id,)).fetchone() is not None


def deliver_post(database: Database, timelines: TimelineWriter, post: PostRef, followers: Sequence[int]) -> None:
    """Add a post to the timelines of followers."""
    timelines.add_to_followers(post, followers)
    for left in set(followers).difference(followers_of(database, post.author_id)):
        timelines.unfollow(left, post.author_id)


def deliver_latest(database: Database, timelines: TimelineWriter, follower_id: int, author_id: int) -> None:
    """Add the latest posts of an author to the timeline of a follower."""
    timelines.follow(follower_id, author_id)
    drop_unconfirmed(database, timelines, follower_id, author_id)


def drop_unconfirmed(database: Database, timelines: TimelineWriter, follower_id: int, author_id: int) -> None:
    """Remove posts of an author that do not belong in a timeline."""
    members = timelines.delivered(follower_id, author_id)
    if not members:
        return
    with database.connection() as connection:
        rows = connection.execute(_IN_TIMELINE, (follower_id, [post_of(member) for member in members])).fetchall()
    belong = {row["id"] for row in rows}
    timelines.drop(follower_id, [member for member in members if post_of(member) not in belong])
