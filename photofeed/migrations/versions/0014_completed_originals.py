"""Completed originals, which nobody can replace: their upload keys, ETags and digests."""

from alembic import op

revision = "0014"
down_revision = "0013"

UPGRADE = """
-- All three are null for photos that were completed before this revision: their original_key is the upload key.
alter table photos
    add column upload_key      text,  -- where the client uploaded; original_key is the copy made at completion
    add column original_etag   text,  -- of the copy
    add column original_sha256 text;  -- of the bytes that were processed and moderated, in hexadecimal

alter table removed_photos add column upload_key text;

create or replace function remember_removed_photo() returns trigger language plpgsql as $$
begin
    insert into removed_photos (photo_id, owner_id, topic_id, posted_at, original_key, upload_key, variant_keys)
    select old.id, old.owner_id, p.topic_id, p.posted_at, old.original_key, old.upload_key,
           array(select variant ->> 'key' from jsonb_array_elements(old.variants) variant
                 union select unnest(old.claimed_keys))
    from (values (1)) one left join posts p on p.id = old.id;
    return old;
end $$;
"""

DOWNGRADE = """
create or replace function remember_removed_photo() returns trigger language plpgsql as $$
begin
    insert into removed_photos (photo_id, owner_id, topic_id, posted_at, original_key, variant_keys)
    select old.id, old.owner_id, p.topic_id, p.posted_at, old.original_key,
           array(select variant ->> 'key' from jsonb_array_elements(old.variants) variant
                 union select unnest(old.claimed_keys))
    from (values (1)) one left join posts p on p.id = old.id;
    return old;
end $$;
alter table removed_photos drop column upload_key;
alter table photos drop column upload_key, drop column original_etag, drop column original_sha256;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
