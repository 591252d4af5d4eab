"""Items: posts without a picture that only rankings show, and the ids that other systems have for people and items."""

from alembic import op

revision = "0026"
down_revision = "0025"

# Nothing here reads or rewrites the rows of posts, of which there may be many; 0029 does the rest.
UPGRADE = """
alter table posts
    drop constraint posts_content_type_check,
    add constraint posts_content_type_check check (content_type in ('photo', 'reel', 'item')) not valid,
    alter column author_id drop not null,
    add constraint posts_author_check check (content_type = 'item' or author_id is not null) not valid,
    add constraint posts_item_check check (content_type <> 'item' or not visible) not valid,
    add column photo bigint;  -- the photo of a post; an item has none

create function give_photo() returns trigger language plpgsql as $$
begin
    new.photo := case when new.content_type <> 'item' then new.id end;
    return new;
end $$;
create trigger post_has_photo before insert or update of id, content_type on posts
    for each row execute function give_photo();

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
drop trigger post_has_photo on posts;
drop function give_photo;
alter table posts
    drop column photo,
    drop constraint posts_item_check,
    drop constraint posts_author_check,
    alter column author_id set not null,
    drop constraint posts_content_type_check,
    add constraint posts_content_type_check check (content_type in ('photo', 'reel'));
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
