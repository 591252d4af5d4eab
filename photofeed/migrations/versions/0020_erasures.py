"""Deleted accounts: which people have to be erased from every store, and tombstones of their identities."""

from alembic import op

revision = "0020"
down_revision = "0019"

UPGRADE = """
-- One row per deleted account, without any of its content; it outlives the user.
create table erasures (
    user_id       bigint primary key,
    requested_at  timestamptz not null default now(),
    next_pass_at  timestamptz not null default now(),  -- when the stores are searched again
    erased_at     timestamptz                          -- when a search of every store found nothing
);
create index erasures_waiting on erasures (next_pass_at) where erased_at is null;

create function notify_erasures() returns trigger language plpgsql as $$
begin
    perform pg_notify('erasures', '');
    return null;
end $$;
create trigger erasure_requested after insert on erasures for each statement execute function notify_erasures();

-- A login of a deleted account is refused and makes no new account. The digest is of issuer and subject.
create table erased_identities (
    digest     bytea primary key,
    user_id    bigint not null,
    erased_at  timestamptz not null default now()
);
"""

DOWNGRADE = """
drop table erased_identities, erasures;
drop function notify_erasures;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
