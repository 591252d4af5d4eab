"""The photos of posts that were there before items, and what is checked of posts, while everybody reads and writes.

Each step is a transaction of its own and may be repeated.
"""

from alembic import op
from sqlalchemy import text

revision = "0029"
down_revision = "0028"

FILL = text("""
update posts set photo = id where id in (
    select id from posts where id > :after and photo is null and content_type <> 'item' order by id limit 2000)
returning id
""")
INDEXES = {
    "posts_by_photo": "unique index concurrently posts_by_photo on posts (photo)",
    "items_of_creator": "index concurrently items_of_creator on posts (author_id) where content_type = 'item'",
    "items_by_age": "index concurrently items_by_age on posts (id desc) where content_type = 'item'",
    "items_by_topic": "index concurrently items_by_topic on posts (topic_id, id desc) where content_type = 'item'",
}
FOREIGN_KEY = """
alter table posts
    drop constraint if exists posts_photo_fkey,
    add constraint posts_photo_fkey foreign key (photo) references photos on delete cascade not valid
"""
CONSTRAINTS = ("posts_photo_fkey", "posts_content_type_check", "posts_author_check", "posts_item_check")
LAST = "alter table posts drop constraint if exists posts_id_fkey"  # an item has no photo

DOWNGRADE = """
delete from posts where content_type = 'item';
alter table posts
    drop constraint posts_photo_fkey,
    add constraint posts_id_fkey foreign key (id) references photos on delete cascade;
drop index items_by_topic, items_by_age, items_of_creator, posts_by_photo;
"""


def upgrade() -> None:
    with op.get_context().autocommit_block():
        after = 0
        while filled := op.get_bind().execute(FILL, {"after": after}).scalars().all():
            after = max(filled)
        for name, definition in INDEXES.items():
            op.execute(f"drop index concurrently if exists {name}")  # one that was interrupted is not valid
            op.execute(f"create {definition}")
        op.execute(FOREIGN_KEY)
        for constraint in CONSTRAINTS:
            op.execute(f"alter table posts validate constraint {constraint}")
        op.execute(LAST)


def downgrade() -> None:
    op.execute(DOWNGRADE)
