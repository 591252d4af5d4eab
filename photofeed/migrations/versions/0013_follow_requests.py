"""Requests to follow private accounts."""

from alembic import op

revision = "0013"
down_revision = "0012"

UPGRADE = """
create table follow_requests (
    follower_id  bigint not null references users on delete cascade,
    followee_id  bigint not null references users on delete cascade,
    created_at   timestamptz not null,
    primary key (followee_id, follower_id),
    check (follower_id <> followee_id)
);
create index follow_requests_by_follower on follow_requests (follower_id);
"""

DOWNGRADE = """
drop table follow_requests;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
