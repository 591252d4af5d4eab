"""Stores what a feed shows of a photo in its post: 170 bytes, instead of 2 KB from each of thirty rows of photos."""

from alembic import op

revision = "0011"
down_revision = "0010"

UPGRADE = """
create function picture_of(photo photos) returns json language sql stable as $$
    select json_build_object('width', photo.width, 'height', photo.height, 'blurhash', photo.blurhash,
                             'dominantColor', photo.dominant_color, 'images', image_sizes(photo.variants))
$$;

create function post_takes_picture() returns trigger language plpgsql as $$
begin
    new.picture := (select picture_of(photo) from photos photo where photo.id = new.id);
    return new;
end $$;

create function photo_gives_picture() returns trigger language plpgsql as $$
begin
    update posts set picture = picture_of(new) where id = new.id;
    return null;
end $$;

alter table photos drop column image_sizes;
alter table posts add column picture json;
update posts post set picture = picture_of(photo) from photos photo where photo.id = post.id;
create trigger post_takes_picture before insert on posts for each row execute function post_takes_picture();
create trigger photo_gives_picture after update of width, height, blurhash, dominant_color, variants on photos
    for each row execute function photo_gives_picture();
"""

DOWNGRADE = """
drop trigger photo_gives_picture on photos;
drop trigger post_takes_picture on posts;
drop function photo_gives_picture();
drop function post_takes_picture();
drop function picture_of(photos);
alter table posts drop column picture;
alter table photos add column image_sizes jsonb not null generated always as (image_sizes(variants)) stored;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
