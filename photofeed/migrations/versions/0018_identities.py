"""The users that the subjects of an identity provider stand for."""

from alembic import op

revision = "0018"
down_revision = "0017"

UPGRADE = """
create table identities (
    issuer      text not null,
    subject     text not null,
    user_id     bigint not null references users on delete cascade,
    created_at  timestamptz not null default now(),
    primary key (issuer, subject)
);
create index identities_by_user on identities (user_id);
"""

DOWNGRADE = """
drop table identities;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
