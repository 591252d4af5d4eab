"""The numbers of finished work whose marks Redis must have: lower marks tell that it came back from the past."""

from alembic import op

revision = "0023"
down_revision = "0022"

UPGRADE = """
create table write_marks (
    owner      text primary key,  -- kind of worker, and a name of the process
    number     bigint not null,
    marked_at  timestamptz not null default now()
);
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute("drop table write_marks")
