"""Photos per day, uploads to sweep, and records of deleted photos."""

from alembic import op

revision = "0003"
down_revision = "0002"

UPGRADE = """
alter table photos
    add column initiated_at timestamptz not null default now(),  -- server time, even if created_at is back-dated
    add column queued_at    timestamptz,                         -- when the sweeper last queued it again
    add column requeues     smallint not null default 0;
drop index photos_waiting;
create index photos_waiting on photos (initiated_at) where status = 'awaiting_upload';
create index photos_in_processing on photos (coalesce(queued_at, completed_at)) where status = 'processing';
-- Identical pictures share variants; this finds the other photos that use one.
create index photos_by_variant on photos using gin (variants jsonb_path_ops);

create table upload_days (
    user_id  bigint not null references users on delete cascade,
    day      date not null,
    photos   integer not null,
    primary key (user_id, day)
);
create index upload_days_by_day on upload_days (day);

-- Record of a deleted photo, without any of its content. purged_at: all its objects are deleted, and its upload URLs
-- have expired.
create table removed_photos (
    photo_id      bigint primary key,
    owner_id      bigint not null,
    topic_id      bigint,
    posted_at     timestamptz,
    original_key  text not null,
    variant_keys  text[] not null,
    removed_at    timestamptz not null default now(),
    purged_at     timestamptz
);
create index removed_photos_to_purge on removed_photos (removed_at) where purged_at is null;

-- A trigger, so that every way of deleting a photo, including deleting its owner, records its objects.
create function remember_removed_photo() returns trigger language plpgsql as $$
begin
    insert into removed_photos (photo_id, owner_id, topic_id, posted_at, original_key, variant_keys)
    select old.id, old.owner_id, p.topic_id, p.posted_at, old.original_key,
           array(select distinct variant ->> 'key' from jsonb_array_elements(old.variants) variant)
    from (values (1)) one left join posts p on p.id = old.id;
    return old;
end $$;
create trigger photo_removed before delete on photos for each row execute function remember_removed_photo();
"""

DOWNGRADE = """
drop trigger photo_removed on photos;
drop function remember_removed_photo;
drop table removed_photos, upload_days;
drop index photos_by_variant, photos_in_processing, photos_waiting;
alter table photos drop column initiated_at, drop column queued_at, drop column requeues;
create index photos_waiting on photos (created_at) where status in ('awaiting_upload', 'processing');
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
