"""Moderation decisions, metadata of photos, and the outcome of each step of the photo path."""

from alembic import op

revision = "0002"
down_revision = "0001"

UPGRADE = """
-- Camera metadata and measurements of a photo. Its location is never stored.
create table photo_metadata (
    photo_id          bigint primary key references photos on delete cascade,
    width             integer not null,           -- of the upright original, in pixels
    height            integer not null,
    camera_make       text,
    camera_model      text,
    lens              text,
    exposure_seconds  double precision,
    aperture          double precision,           -- f-number
    iso               integer,
    focal_length_mm   double precision,
    captured_local    timestamp,                  -- local time of the camera's clock
    utc_offset_minutes smallint,                  -- of that clock, if the camera recorded it
    phash             bigint not null,            -- 64 bits; near-duplicates differ in few
    sharpness         double precision not null,
    brightness        double precision not null,
    entropy           double precision not null,
    aspect            double precision not null
);
create index photo_metadata_by_phash on photo_metadata (phash);

-- The last outcome of each step of the photo path; the same outcome again changes nothing.
create table photo_steps (
    photo_id  bigint not null references photos on delete cascade,
    step      text not null,
    outcome   text not null,                      -- 'done', or the code of the failure
    millis    double precision not null,
    at        timestamptz not null,
    primary key (photo_id, step)
);

-- The audit log of moderation: every decision of a model or a moderator. Rows outlive their photo.
create table moderation_decisions (
    id        bigint generated always as identity primary key,
    photo_id  bigint not null,
    kind      text not null check (kind in ('model', 'moderator')),
    decision  text not null check (decision in ('approved', 'review', 'rejected')),
    score     double precision,                   -- the model's, 0 to 1
    by        text not null,                      -- version of the model, or id of the moderator
    reason    text not null,
    at        timestamptz not null default now()
);
create index moderation_decisions_by_photo on moderation_decisions (photo_id, id);
-- A model's decision on a photo is deterministic: processing a photo again adds no row.
create unique index moderation_decisions_of_models on moderation_decisions (photo_id, by) where kind = 'model';

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name;
end $$;
create trigger moderation_decisions_are_final before update or delete on moderation_decisions
    for each row execute function refuse_change();

create index photos_in_review on photos (created_at) where status = 'review';
"""

DOWNGRADE = """
drop index photos_in_review;
drop table moderation_decisions, photo_steps, photo_metadata;
drop function refuse_change;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
