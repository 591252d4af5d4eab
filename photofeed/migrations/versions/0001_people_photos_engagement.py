"""People, photos, posts, engagement state and the outbox."""

from alembic import op

revision = "0001"
down_revision = None

UPGRADE = """
create table users (
    id            bigint primary key,
    handle        text not null unique check (handle ~ '^[a-z0-9_.]{2,30}$'),
    display_name  text not null check (length(display_name) between 1 and 80),
    is_private    boolean not null default false,
    follower_count  integer not null default 0,
    following_count integer not null default 0,
    created_at    timestamptz not null
);

create table follows (
    follower_id  bigint not null references users on delete cascade,
    followee_id  bigint not null references users on delete cascade,
    created_at   timestamptz not null,
    primary key (follower_id, followee_id),
    check (follower_id <> followee_id)
);
create index follows_by_followee on follows (followee_id, follower_id);

create table blocks (
    blocker_id  bigint not null references users on delete cascade,
    blocked_id  bigint not null references users on delete cascade,
    created_at  timestamptz not null default now(),
    primary key (blocker_id, blocked_id)
);
create index blocks_by_blocked on blocks (blocked_id);

create table mutes (
    muter_id    bigint not null references users on delete cascade,
    muted_id    bigint not null references users on delete cascade,
    created_at  timestamptz not null default now(),
    primary key (muter_id, muted_id)
);

-- An upload and its state. variants: [{size, format, key, width, height, bytes}].
create table photos (
    id              bigint primary key,
    owner_id        bigint not null references users on delete cascade,
    status          text not null check (status in
                        ('awaiting_upload', 'processing', 'ready', 'review', 'rejected', 'failed')),
    original_key    text not null,
    media_type      text,
    byte_size       bigint,
    sha256          text,
    width           integer,
    height          integer,
    blurhash        text,
    dominant_color  text,
    variants        jsonb not null default '[]',
    failure_code    text,
    failure_reason  text,
    imported        boolean not null default false,  -- back-dated by a service
    created_at      timestamptz not null,
    completed_at    timestamptz,
    ready_at        timestamptz
);
create index photos_waiting on photos (created_at) where status in ('awaiting_upload', 'processing');

create table posts (
    id             bigint primary key references photos on delete cascade,
    author_id      bigint not null references users on delete cascade,
    caption        text not null default '',
    tags           text[] not null default '{}',
    topic          text not null default '',
    topic_id       bigint not null,
    content_type   text not null check (content_type in ('photo', 'reel')),
    posted_at      timestamptz not null,
    visible        boolean not null default false,
    like_count     integer not null default 0,
    comment_count  integer not null default 0,
    save_count     integer not null default 0,
    words          tsvector not null default ''  -- of caption and tags, for search
);
create index posts_by_author on posts (author_id, id desc) where visible;
create index posts_by_words on posts using gin (words) where visible;

create table likes (
    user_id     bigint not null references users on delete cascade,
    post_id     bigint not null references posts on delete cascade,
    created_at  timestamptz not null,
    primary key (user_id, post_id)
);
create index likes_by_post on likes (post_id);

create table saves (
    user_id     bigint not null references users on delete cascade,
    post_id     bigint not null references posts on delete cascade,
    created_at  timestamptz not null,
    primary key (user_id, post_id)
);
create index saves_by_post on saves (post_id);

create table comments (
    id          bigint primary key,
    post_id     bigint not null references posts on delete cascade,
    user_id     bigint not null references users on delete cascade,
    body        text not null check (length(body) between 1 and 2200),
    created_at  timestamptz not null
);
create index comments_by_post on comments (post_id, id);

-- Messages to publish, written in the transaction of the change that they report.
create table outbox (
    id        bigint generated always as identity primary key,
    topic     text not null,
    key       text not null,
    envelope  bytea not null
);

create function notify_outbox() returns trigger language plpgsql as $$
begin
    perform pg_notify('outbox', '');
    return null;
end $$;
create trigger outbox_written after insert on outbox for each statement execute function notify_outbox();
"""

DOWNGRADE = """
drop table outbox, comments, saves, likes, posts, photos, mutes, blocks, follows, users;
drop function notify_outbox;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
