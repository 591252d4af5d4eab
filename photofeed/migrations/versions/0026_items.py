"""Items: posts without a picture that only rankings show, and the ids that other systems have for people and items."""

from alembic import op

revision = "0026"
down_revision = "0025"

UPGRADE = """
alter table posts
    drop constraint posts_id_fkey,
    drop constraint posts_content_type_check,
    add constraint posts_content_type_check check (content_type in ('photo', 'reel', 'item')),
    alter column author_id drop not null,
    add constraint posts_author_check check (content_type = 'item' or author_id is not null),
    add constraint posts_item_check check (content_type <> 'item' or not visible),
    -- the photo of a post; an item has none
    add column photo bigint unique references photos on delete cascade
        generated always as (case when content_type <> 'item' then id end) stored;
create index items_of_creator on posts (author_id) where content_type = 'item';
create index items_by_age on posts (id desc) where content_type = 'item';
create index items_by_topic on posts (topic_id, id desc) where content_type = 'item';

-- Checked at the end of a transaction: an id is claimed first, and then gets its person or item.
create table external_ids (
    kind          text not null check (kind in ('person', 'item')),
    external_id   text not null check (length(external_id) between 1 and 200),
    user_id       bigint references users on delete cascade deferrable initially deferred,
    post_id       bigint references posts on delete cascade deferrable initially deferred,
    described_at  timestamptz,                    -- of an item; null while only rankings and events have named it
    available     boolean not null default true,  -- of an item: whether it may be a candidate
    primary key (kind, external_id),
    check (num_nonnulls(user_id, post_id) = 1 and (kind = 'person') = (user_id is not null))
);
create unique index external_ids_by_user on external_ids (user_id) where user_id is not null;
create unique index external_ids_by_post on external_ids (post_id) where post_id is not null;
"""

DOWNGRADE = """
drop table external_ids;
delete from posts where content_type = 'item';
drop index items_of_creator, items_by_age, items_by_topic;
alter table posts
    drop column photo,
    drop constraint posts_item_check,
    drop constraint posts_author_check,
    alter column author_id set not null,
    drop constraint posts_content_type_check,
    add constraint posts_content_type_check check (content_type in ('photo', 'reel')),
    add constraint posts_id_fkey foreign key (id) references photos on delete cascade;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
