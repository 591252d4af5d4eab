"""A comment that a client sends again is the same comment."""

from alembic import op

revision = "0010"
down_revision = "0009"

UPGRADE = """
-- The engagement event that made it; those from before have none.
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
