"""A bio on profiles, and indexes for lists of reactions and for finding people."""

from alembic import op

revision = "0016"
down_revision = "0015"

# Building an index lets others read; the other statements do not, so they come last.
UPGRADE = """
create index likes_by_user on likes (user_id, created_at desc, post_id desc);
create index saves_by_user on saves (user_id, created_at desc, post_id desc);
-- who liked a post, newest first
create index likes_of_post on likes (post_id, created_at desc, user_id desc);
-- people by the beginning of their handle or name
create index users_by_handle on users (handle text_pattern_ops);
create index users_by_name on users (lower(display_name) text_pattern_ops);

drop index likes_by_post;
alter table users add column bio text not null default '' check (length(bio) <= 300);
"""

DOWNGRADE = """
drop index users_by_name, users_by_handle;
create index likes_by_post on likes (post_id);
drop index likes_of_post, saves_by_user, likes_by_user;
alter table users drop column bio;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
