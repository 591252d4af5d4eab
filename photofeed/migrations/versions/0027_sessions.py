"""Sessions of the browser app: who a cookie stands for, and until when."""

from alembic import op

revision = "0027"
down_revision = "0026"

UPGRADE = """
create table sessions (
    digest         bytea primary key,             -- SHA-256 of the cookie: who reads the table cannot sign in
    user_id        bigint not null references users on delete cascade,
    scopes         text[] not null,
    created_at     timestamptz not null default now(),
    fresh_until    timestamptz not null,          -- then the identity provider is asked again; else ends_at
    ends_at        timestamptz not null,
    subject        text not null default '',      -- at the identity provider
    refresh_token  bytea                          -- sealed with a key that only the cookie gives; null without one
);
create index sessions_by_user on sessions (user_id);
create index sessions_by_end on sessions (ends_at);
"""

DOWNGRADE = """
drop table sessions;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
