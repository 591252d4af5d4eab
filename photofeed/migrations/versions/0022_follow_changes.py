"""How often the follows of a person have changed: a feed is not answered 304 after a change."""

from alembic import op

revision = "0022"
down_revision = "0021"

UPGRADE = """
alter table users add column follow_changes integer not null default 0;

-- A trigger, so that every way of changing follows counts: all of them update the number of followed accounts.
create function count_follow_changes() returns trigger language plpgsql as $$
begin
    new.follow_changes := old.follow_changes + 1;
    return new;
end $$;
create trigger follows_changed before update of following_count on users for each row
    when (new.following_count is distinct from old.following_count) execute function count_follow_changes();
"""

DOWNGRADE = """
drop trigger follows_changed on users;
drop function count_follow_changes;
alter table users drop column follow_changes;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
