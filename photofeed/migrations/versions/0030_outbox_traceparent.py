"""The context of the trace that a message of the outbox belongs to."""

from alembic import op

revision = "0030"
down_revision = "0029"

UPGRADE = """
alter table outbox add column traceparent text;
"""

DOWNGRADE = """
alter table outbox drop column traceparent;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
