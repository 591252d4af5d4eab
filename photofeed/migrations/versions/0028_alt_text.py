"""What a photo shows, in the words of its author, for people who do not see it."""

from alembic import op

revision = "0028"
down_revision = "0027"

UPGRADE = """
alter table posts add column alt_text text not null default '';
"""

DOWNGRADE = """
alter table posts drop column alt_text;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
