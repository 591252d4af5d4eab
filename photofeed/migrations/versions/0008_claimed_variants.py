"""Variants that may be in object storage and are not in the photo's row yet."""

from alembic import op

revision = "0008"
down_revision = "0007"

UPGRADE = """
-- Recorded before they are stored, so that the objects of a worker that dies in between can be found.
alter table photos add column claimed_keys text[] not null default '{}';

create or replace function remember_removed_photo() returns trigger language plpgsql as $$
begin
    insert into removed_photos (photo_id, owner_id, topic_id, posted_at, original_key, variant_keys)
    select old.id, old.owner_id, p.topic_id, p.posted_at, old.original_key,
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
           array(select distinct variant ->> 'key' from jsonb_array_elements(old.variants) variant)
    from (values (1)) one left join posts p on p.id = old.id;
    return old;
end $$;
alter table photos drop column claimed_keys;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
