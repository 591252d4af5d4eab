"""Posts that everyone may see, in the form in which pools hold them."""

from collections.abc import Sequence

from psycopg.rows import DictRow

from photofeed.database import Database
from photofeed.publication import ref_of

# Builders append conditions: `and ...`
PUBLIC_POSTS = """
select p.id, p.author_id, p.topic_id, p.posted_at, p.content_type, coalesce(m.phash, 0) as phash
from posts p join users u on u.id = p.author_id left join photo_metadata m on m.photo_id = p.id
where p.visible and not u.is_private
"""


def member_of(row: DictRow) -> bytes:
    """A row of PUBLIC_POSTS as a member."""
    return ref_of(row).member()


def members_of(database: Database, post_ids: Sequence[int]) -> dict[int, bytes]:
    """Members of the posts that everyone may see, by id; other posts are left out."""
    with database.connection() as connection:
        rows = connection.execute(f"{PUBLIC_POSTS} and p.id = any(%s)".encode(), (list(post_ids),))
        return {row["id"]: member_of(row) for row in rows}
