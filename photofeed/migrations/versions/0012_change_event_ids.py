"""Event ids of changes, so that a like that is sent again after its unlike has no effect."""

from alembic import op

revision = "0012"
down_revision = "0011"

UPGRADE = """
-- Events that changed likes, saves or follows, or were no change; the sweeper deletes old ones.
create table told_changes (
    event_id  text primary key,
    told_at   timestamptz not null default now()
);
create index told_changes_by_time on told_changes using brin (told_at);
"""

DOWNGRADE = """
drop table told_changes;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
