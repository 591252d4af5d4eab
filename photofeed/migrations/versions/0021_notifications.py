"""Notifications, and what each person has read and switched off."""

from alembic import op

revision = "0021"
down_revision = "0020"

UPGRADE = r"""
create table notification_states (
    user_id       bigint primary key references users on delete cascade,
    last_number   bigint not null default 0,     -- of the newest notification
    read_number   bigint not null default 0,     -- those up to here have been read
    switched_off  text[] not null default '{}'   -- kinds that the person does not want
);

create table notifications (
    id          bigint generated always as identity unique,
    user_id     bigint not null references users on delete cascade,  -- who is notified
    number      bigint not null,                 -- of this person, ascending by commit; changes if the row moves
    kind        text not null,
    actor_id    bigint references users on delete cascade,
    post_id     bigint references posts on delete cascade,
    comment_id  bigint references comments on delete cascade,
    subject     text not null,                   -- one row for each of a person
    details     jsonb,
    at          timestamptz not null,
    primary key (user_id, subject)
);
create index notifications_by_number on notifications (user_id, number desc);
create index notifications_by_time on notifications (at);
create index notifications_by_actor on notifications (actor_id);
create index notifications_by_post on notifications (post_id);
create index notifications_by_comment on notifications (comment_id);

-- The handles in a text, as the browser app links them (web/src/post/rich-text.ts); of many, the first twenty.
create function mentioned_handles(words text) returns setof text immutable parallel safe language sql as $$
    select distinct handle from (
        select lower(rtrim(found[1], '.')) as handle
        from regexp_matches(words, '(?<![[:alnum:]_/&])@([a-z0-9_.]{2,30})', 'gi') found limit 20) first_ones
    where length(handle) >= 2
$$;
"""

DOWNGRADE = """
drop function mentioned_handles;
drop table notifications, notification_states;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
