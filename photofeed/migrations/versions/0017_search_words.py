"""Search by word stems and beginnings of words, posts by tag, and answers to comments and their edits."""

from alembic import op

revision = "0017"
down_revision = "0016"

UPGRADE = r"""
-- The words of a post: as written, for beginnings of words and all languages, and as English stems.
create function post_words(words text) returns tsvector immutable parallel safe language sql as $$
    select to_tsvector('simple', words) || to_tsvector('english', words)
$$;

-- What is searched for: the English stems, or words that begin as written. Single letters must be whole words.
create function post_query(words text) returns tsquery immutable parallel safe language sql as $$
    select websearch_to_tsquery('english', words)
        || regexp_replace(websearch_to_tsquery('simple', words)::text, '''(?:[^'']|''''){2,}''', '\&:*', 'g')::tsquery
$$;

update posts set words = post_words(concat_ws(' ', caption, array_to_string(tags, ' ')));
create index posts_by_tag on posts using gin (tags) where visible;

alter table comments
    add column reply_to   bigint references comments on delete set null,  -- the comment that this one answers
    add column edited_at  timestamptz;
create index comments_by_reply on comments (reply_to) where reply_to is not null;
"""

DOWNGRADE = """
alter table comments drop column edited_at, drop column reply_to;
drop index posts_by_tag;
update posts set words = to_tsvector('simple', concat_ws(' ', caption, array_to_string(tags, ' ')));
drop function post_query, post_words;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
