"""Reports with a reason, reports of comments and people, and decisions about those."""

from alembic import op

revision = "0019"
down_revision = "0018"

UPGRADE = """
alter table reports
    add column reason      text not null default 'other',
    add column details     text not null default '',
    add column decided_at  timestamptz;  -- null while no moderator has decided
update reports r set decided_at = now() from posts p where p.id = r.post_id and p.report_count = 0;
create index reports_open on reports (post_id) where decided_at is null;

create table comment_reports (
    user_id     bigint not null references users on delete cascade,
    comment_id  bigint not null references comments on delete cascade,
    created_at  timestamptz not null default now(),
    reason      text not null,
    details     text not null default '',
    decided_at  timestamptz,
    primary key (user_id, comment_id)
);
create index comment_reports_by_comment on comment_reports (comment_id);
create index comment_reports_open on comment_reports (comment_id) where decided_at is null;

create table person_reports (
    user_id     bigint not null references users on delete cascade,
    person_id   bigint not null references users on delete cascade,
    created_at  timestamptz not null default now(),
    reason      text not null,
    details     text not null default '',
    decided_at  timestamptz,
    primary key (user_id, person_id)
);
create index person_reports_by_person on person_reports (person_id);
create index person_reports_open on person_reports (person_id) where decided_at is null;

alter table moderation_decisions
    alter column photo_id drop not null,
    add column comment_id  bigint,  -- what was decided about: a photo, a comment or a person
    add column person_id   bigint,
    add check (num_nonnulls(photo_id, comment_id, person_id) = 1);
"""

DOWNGRADE = """
alter table moderation_decisions disable trigger moderation_decisions_are_final;
delete from moderation_decisions where photo_id is null;
alter table moderation_decisions enable trigger moderation_decisions_are_final;
alter table moderation_decisions drop column person_id, drop column comment_id, alter column photo_id set not null;
drop table person_reports, comment_reports;
drop index reports_open;
alter table reports drop column decided_at, drop column details, drop column reason;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
