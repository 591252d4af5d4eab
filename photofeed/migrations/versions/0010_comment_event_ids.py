"""Event ids of comments, so that a comment sent twice is stored once."""

from alembic import op

revision = "0010"
down_revision = "0009"

UPGRADE = """
-- The engagement event of the comment; null for older comments.
alter table comments add column event_id text;
create unique index comments_by_event on comments (event_id);
"""

DOWNGRADE = """
alter table comments drop column event_id;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
