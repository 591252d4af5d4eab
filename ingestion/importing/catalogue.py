"""People, items and follows of an import in PostgreSQL, under the ids that other systems have for them."""

import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from psycopg.errors import UniqueViolation

from photofeed.database import Database
from photofeed.erasures import EXTERNAL
from photofeed.errors import RetryableError
from photofeed.ids import IdGenerator, topic_id
from photofeed.offline_store.contracts import EARLIEST
from photofeed.times import MICROSECONDS

if TYPE_CHECKING:
    import duckdb

_ROWS_AT_ONCE = 10_000
_random = secrets.SystemRandom()
_ATTEMPTS = 6
_YEAR_SECONDS = 365 * 86_400

_KNOWN = {
    "users": """select external_id, user_id as id from external_ids
        where kind = 'person' and external_id = any(%s)""",
    "items": """select e.external_id, p.id, coalesce(p.author_id, p.id), p.topic_id, p.content_type
        from external_ids e join posts p on p.id = e.post_id where e.kind = 'item' and e.external_id = any(%s)""",
}
_COLUMNS = {
    "users": "external varchar, id bigint",
    "items": "external varchar, id bigint, author_id bigint, topic_id bigint, content_type varchar",
}
_NAMES = ["external", "id", "author_id", "topic_id", "content_type"]
# The external id of a person who deleted their account is not taken again.
_ADD_PEOPLE = f"""
with new as (select * from unnest(%(names)s::text[], %(ids)s::bigint[], %(shown)s::text[], %(moments)s::timestamptz[])
    as n(name, id, shown, at)
    where not exists (select from erased_identities
        where digest = sha256(convert_to('{EXTERNAL}' || E'\\n' || name, 'UTF8')))),
claimed as (insert into external_ids (kind, external_id, user_id) select 'person', name, id from new
    order by name on conflict (kind, external_id) do nothing returning user_id)
insert into users (id, handle, display_name, created_at)
select id, 'ext_' || to_hex(id), coalesce(shown, 'ext_' || to_hex(id)), at from new
where id in (select user_id from claimed)
"""  # noqa: S608  a constant
# An item that only rankings and events have named gets its description; one that was described stays as it is.
_ADD_ITEMS = """
with new as (select name, id, author, moment, title, string_to_array(nullif(tags, ''), '|') as tags, topic, topic_id
    from unnest(%(names)s::text[], %(ids)s::bigint[], %(authors)s::bigint[], %(moments)s::timestamptz[],
        %(titles)s::text[], %(tags)s::text[], %(topics)s::text[], %(topic_ids)s::bigint[])
    as n(name, id, author, moment, title, tags, topic, topic_id)),
claimed as (insert into external_ids (kind, external_id, post_id, described_at) select 'item', name, id, now() from new
    order by name on conflict (kind, external_id) do update set described_at = now()
    where external_ids.described_at is null returning external_id, post_id),
described as (update posts p set author_id = n.author, caption = n.title, tags = coalesce(n.tags, '{}'),
    topic = n.topic, topic_id = n.topic_id, posted_at = n.moment,
    words = post_words(concat_ws(' ', n.title, array_to_string(n.tags, ' ')))
    from new n join claimed c on c.external_id = n.name where p.id = c.post_id and c.post_id <> n.id)
insert into posts (id, author_id, caption, tags, topic, topic_id, content_type, posted_at, words)
select c.post_id, n.author, n.title, coalesce(n.tags, '{}'), n.topic, n.topic_id, 'item', n.moment,
    post_words(concat_ws(' ', n.title, array_to_string(n.tags, ' ')))
from new n join claimed c on c.external_id = n.name where c.post_id = n.id
"""
_ADD_FOLLOWS = """
with added as (insert into follows (follower_id, followee_id, created_at)
    select * from unnest(%(followers)s::bigint[], %(followees)s::bigint[], %(moments)s::timestamptz[])
    order by 1, 2 on conflict do nothing returning follower_id, followee_id),
changed as (select id, sum(followers)::int as followers, sum(following)::int as following from (
    select followee_id as id, 1 as followers, 0 as following from added
    union all select follower_id, 0, 1 from added) each group by id)
update users u set follower_count = u.follower_count + c.followers, following_count = u.following_count + c.following
from changed c where c.id = u.id
"""


def look_up(connection: "duckdb.DuckDBPyConnection", database: Database, kind: str, names: Iterator[list[str]]) -> None:
    """Make `known_users` or `known_items` of these external ids, as far as PostgreSQL knows them."""
    connection.execute(f"create or replace table known_{kind} ({_COLUMNS[kind]})")
    for some in names:
        with database.connection() as pg:
            rows = [tuple(row.values()) for row in pg.execute(_KNOWN[kind], (some,))]
        if rows:
            found = pa.table([list(column) for column in zip(*rows, strict=True)], names=_NAMES[: len(rows[0])])
            connection.register("found", found)  # inserting row by row takes a millisecond each
            connection.execute(f"insert into known_{kind} select * from found")  # noqa: S608  our own names
            connection.unregister("found")


def add_people(connection: "duckdb.DuckDBPyConnection", database: Database, ids: IdGenerator) -> None:
    """Add the people of `judged_users`; those who are known stay as they are."""
    for rows in _judged(connection, "users", "user_id, display_name, created_at"):
        names, shown, moments = zip(*rows, strict=True)
        values: dict[str, Any] = {
            "names": list(names),
            "shown": list(shown),
            "moments": [_moment(at) for at in moments],
        }
        _add(database, _ADD_PEOPLE, values, moments, ids)


def add_items(connection: "duckdb.DuckDBPyConnection", database: Database, ids: IdGenerator) -> None:
    """Add the items of `judged_items`; those that were described stay as they are."""
    of_item = "item_id, k.id, t.created_at, coalesce(title, ''), array_to_string(tags, '|'), coalesce(tags[1], '')"
    for rows in _judged(connection, "items", of_item, "left join known_users k on k.external = t.creator_id"):
        names, authors, moments, titles, tags, topics = zip(*rows, strict=True)
        values: dict[str, Any] = {
            "names": list(names),
            "authors": list(authors),
            "moments": [_moment(at) for at in moments],
            "titles": list(titles),
            "tags": [each or "" for each in tags],
            "topics": list(topics),
            "topic_ids": [topic_id(topic) for topic in topics],
        }
        _add(database, _ADD_ITEMS, values, moments, ids)


def add_follows(connection: "duckdb.DuckDBPyConnection", database: Database) -> None:
    """Add the follows of `judged_follows`, and count them; those that exist stay as they are."""
    joins = """join known_users a on a.external = t.follower_id join known_users b on b.external = t.followee_id"""
    for rows in _judged(connection, "follows", "a.id, b.id, t.created_at", joins):
        followers, followees, moments = zip(*rows, strict=True)
        values = {
            "followers": list(followers),
            "followees": list(followees),
            "moments": [_moment(at) for at in moments],
        }
        _execute(database, _ADD_FOLLOWS, values)


def _judged(connection: "duckdb.DuckDBPyConnection", table: str, columns: str, joins: str = "") -> Iterator[list[Any]]:
    query = f'select {columns} from judged_{table} t {joins} where t.reason is null order by t."row"'  # noqa: S608
    rows = connection.cursor().execute(query)
    while some := rows.fetchmany(_ROWS_AT_ONCE):
        yield some


def _execute(database: Database, statement: str, values: dict[str, Any]) -> None:
    with database.connection() as pg:
        pg.execute(statement, values)


def _add(
    database: Database, statement: str, values: dict[str, Any], moments: Sequence[int | None], ids: IdGenerator
) -> None:
    """Execute a statement with new ids. Many rows of one moment may draw an id that exists: then with others."""
    for attempt in range(_ATTEMPTS):
        # each attempt spreads equal moments over ten times as long
        values["ids"] = [_new_id(ids, at, spread_us=1_000 * 10**attempt if attempt else 0) for at in moments]
        try:
            _execute(database, statement, values)
        except UniqueViolation as error:
            clash = error
        else:
            return
    raise RetryableError(f"no free ids for {len(moments)} rows of one time: import again") from clash


def _new_id(ids: IdGenerator, at_us: int | None, spread_us: int) -> int:
    if at_us is None:  # older than all that has a time, and no time of its own: anywhere in the year before
        return ids.at(EARLIEST - timedelta(seconds=_random.random() * _YEAR_SECONDS))
    return ids.at(_moment(at_us + _random.randrange(spread_us + 1)))


def _moment(at_us: int | None) -> datetime:
    """A moment of the import; what has none is older than all that has."""
    return EARLIEST if at_us is None else datetime.fromtimestamp(at_us / MICROSECONDS, UTC)
