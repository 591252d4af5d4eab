"""Precomputed for feeds: the sizes of a photo's images, and an index of celebrities."""

from alembic import op

revision = "0009"
down_revision = "0008"

UPGRADE = """
-- A page of thirty posts needs only the image sizes of each 1.6 KB of variants.
create function image_sizes(variants jsonb) returns jsonb language sql immutable strict parallel safe as $$
    select coalesce(jsonb_agg(jsonb_build_array(size, width, height) order by size), '[]')
    from (
        select distinct (variant ->> 'size')::int as size, (variant ->> 'width')::int as width,
               (variant ->> 'height')::int as height
        from jsonb_array_elements(variants) variant) sizes
$$;
alter table photos add column image_sizes jsonb not null generated always as (image_sizes(variants)) stored;

-- There are few celebrities, so those that a person follows are found from this index.
create index users_pulled on users (id) where pulled;
"""

DOWNGRADE = """
drop index users_pulled;
alter table photos drop column image_sizes;
drop function image_sizes(jsonb);
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
