"""Webhooks: where services want events sent, and what has to be sent."""

from alembic import op

revision = "0025"
down_revision = "0024"

UPGRADE = """
create table webhook_endpoints (
    id             bigint primary key,
    url            text not null,
    types          text[] not null,               -- of events
    description    text not null default '',
    secret         text not null,                 -- the key of signatures; shown once
    created_at     timestamptz not null default now(),
    failing_since  timestamptz,                   -- null after a delivery that succeeded
    disabled_at    timestamptz                    -- nothing is sent; by a service, or after it failed for long
);

-- Written in the transaction of the event. The body is sent as it is here, so that its signature stays valid.
create table webhook_deliveries (
    id               bigint generated always as identity primary key,
    endpoint_id      bigint not null references webhook_endpoints on delete cascade,
    message_id       text not null,               -- the same in every attempt and at every endpoint
    type             text not null,
    body             text not null,
    state            text not null default 'waiting' check (state in ('waiting', 'delivered', 'failed')),
    attempts         integer not null default 0,
    next_attempt_at  timestamptz not null default now(),
    last_status      integer,                     -- of HTTP; null if no reply came
    last_error       text,
    created_at       timestamptz not null default now(),
    delivered_at     timestamptz
);
create index webhook_deliveries_waiting on webhook_deliveries (next_attempt_at) where state = 'waiting';
create index webhook_deliveries_by_endpoint on webhook_deliveries (endpoint_id, id desc);
create index webhook_deliveries_by_time on webhook_deliveries (created_at);
"""

DOWNGRADE = """
drop table webhook_deliveries, webhook_endpoints;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
