"""Celebrities: accounts whose posts are not delivered to every follower."""

from alembic import op

revision = "0005"
down_revision = "0004"

UPGRADE = """
-- True from the first post that was not delivered because its author had too many followers, until all of the author's
-- latest posts are delivered. Meanwhile followers pull the posts.
alter table users add column pulled boolean not null default false;
"""

DOWNGRADE = "alter table users drop column pulled;"


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
