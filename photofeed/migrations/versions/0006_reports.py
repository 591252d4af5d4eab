"""Reports of posts, their number since the last moderator decision, and their number at each decision."""

from alembic import op

revision = "0006"
down_revision = "0005"

UPGRADE = """
-- Rows stay after a moderator decision: a person reports a post at most once.
create table reports (
    user_id     bigint not null references users on delete cascade,
    post_id     bigint not null references posts on delete cascade,
    created_at  timestamptz not null,
    primary key (user_id, post_id)
);
create index reports_by_post on reports (post_id);

alter table posts add column report_count integer not null default 0;  -- since the last decision of a moderator
create index posts_reported on posts (id) where visible and report_count > 0;
alter table moderation_decisions add column reports integer not null default 0;  -- number at the time of the decision
"""

DOWNGRADE = """
alter table moderation_decisions drop column reports;
drop index posts_reported;
alter table posts drop column report_count;
drop table reports;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
