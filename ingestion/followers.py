"""Followers of an account, from PostgreSQL."""

from photofeed.database import Database

_FOLLOWERS = "select follower_id from follows where followee_id = %s"


def followers_of(database: Database, author_id: int) -> list[int]:
    """Ids of the accounts that follow an author."""
    with database.connection() as connection:
        return [row["follower_id"] for row in connection.execute(_FOLLOWERS, (author_id,))]
