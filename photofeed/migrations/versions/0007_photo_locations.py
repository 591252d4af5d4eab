"""Locations of photos, for people who chose to keep them."""

from alembic import op

revision = "0007"
down_revision = "0006"

UPGRADE = """
alter table users add column keep_places boolean not null default false;
-- Degrees north and east (WGS 84), visible to the owner only; null unless the owner keeps locations.
alter table photo_metadata add column latitude double precision, add column longitude double precision;
create index photos_by_owner on photos (owner_id);
"""

DOWNGRADE = """
drop index photos_by_owner;
alter table photo_metadata drop column latitude, drop column longitude;
alter table users drop column keep_places;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
