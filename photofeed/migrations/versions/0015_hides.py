"""Hidden posts as state: the feed shows less of their authors and topics from the next request on, until undone."""

from alembic import op

revision = "0015"
down_revision = "0014"

UPGRADE = """
create table hides (
    user_id     bigint not null references users on delete cascade,
    post_id     bigint not null references posts on delete cascade,
    created_at  timestamptz not null,
    primary key (user_id, post_id)
);
create index hides_by_post on hides (post_id);
"""

DOWNGRADE = """
drop table hides;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
