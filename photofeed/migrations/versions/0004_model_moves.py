"""The append-only history of model aliases: which version was live when, who moved it, and why."""

from alembic import op

revision = "0004"
down_revision = "0003"

UPGRADE = """
create table model_moves (
    id       bigint generated always as identity primary key,
    at       timestamptz not null default clock_timestamp(),
    model    text not null,
    alias    text not null,
    version  text,                -- null: the alias was removed
    former   text,
    actor    text not null,
    reason   text not null
);
create index model_moves_by_alias on model_moves (model, alias, id desc);

create function refuse_to_rewrite_history() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end $$;
create trigger model_moves_stay before update or delete or truncate on model_moves
    for each statement execute function refuse_to_rewrite_history();
"""

DOWNGRADE = """
drop table model_moves;
drop function refuse_to_rewrite_history;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
