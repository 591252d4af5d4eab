"""Profile pictures: photos that are no posts."""

from alembic import op

revision = "0024"
down_revision = "0023"

UPGRADE = """
alter table photos add column purpose text not null default 'post' check (purpose in ('post', 'avatar'));
-- Only a photo that is ready; it is deleted when another takes its place.
alter table users add column avatar_id bigint references photos on delete set null;
create index users_by_avatar on users (avatar_id) where avatar_id is not null;
"""

DOWNGRADE = """
alter table users drop column avatar_id;
delete from photos where purpose = 'avatar';
alter table photos drop column purpose;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
