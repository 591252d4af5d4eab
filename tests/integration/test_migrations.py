"""Migrations of a filled database: tables are not rewritten, readers do not wait, interrupted steps are repeated."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from psycopg import Connection
from psycopg.rows import DictRow

from photofeed import database
from photofeed.database import VERSION_TABLE, migrate
from photofeed.errors import RetryableError
from photofeed.settings import Settings
from tests.doubles.module_time import patch_time

OLDEST = "0013"  # of version 0.1.0
TABLES = ("users", "photos", "posts", "likes", "comments", "follows")
FILL = """
insert into users (id, handle, display_name, created_at) select n, 'u' || n, 'U', now() from generate_series(1, 20) n;
insert into photos (id, owner_id, status, original_key, created_at)
    select n, n % 20 + 1, 'ready', 'k', now() from generate_series(100, 5100) n;
insert into posts (id, author_id, caption, topic_id, content_type, posted_at, visible)
    select n, n % 20 + 1, 'Mountains', 7, 'photo', now(), true from generate_series(100, 5100) n;
insert into likes (user_id, post_id, created_at) select 1, n, now() from generate_series(100, 200) n;
"""


@pytest.fixture
def filled(empty_database: Settings) -> Settings:
    migrate(empty_database, OLDEST)
    with closing(database.connect(empty_database)) as connection:
        connection.execute(FILL)
    return empty_database


@pytest.fixture
def connection(filled: Settings) -> Iterator[Connection[DictRow]]:
    with closing(database.connect(filled)) as connection:
        yield connection


def _files(connection: Connection[DictRow]) -> dict[str, int]:
    rows = connection.execute("select c, pg_relation_filenode(c) as file from unnest(%s::text[]) c", (list(TABLES),))
    return {row["c"]: row["file"] for row in rows}


def test_no_table_is_rewritten_and_all_rows_are_brought_up_to_date(
    filled: Settings, connection: Connection[DictRow]
) -> None:
    before = _files(connection)
    migrate(filled)
    assert _files(connection) == before
    counted = connection.execute("select count(*) as n, count(photo) as photos from posts where photo = id").fetchone()
    assert counted == {"n": 5001, "photos": 5001}
    found = connection.execute("select id from posts where words @@ post_query('mountain') and id = 100").fetchone()
    assert found == {"id": 100}
    invalid = connection.execute("select conname from pg_constraint where not convalidated").fetchall()
    assert invalid == []


def test_posts_go_with_their_photos_and_items_need_none(filled: Settings, connection: Connection[DictRow]) -> None:
    migrate(filled)
    connection.execute("delete from photos where id = 100")
    connection.execute(
        "insert into posts (id, topic_id, content_type, posted_at) values (7, 1, 'item', now()), (8, 1, 'item', now())"
    )
    found = connection.execute("select id, photo from posts where id < 102 order by id").fetchall()
    assert [tuple(row.values()) for row in found] == [(7, None), (8, None), (101, 101)]


def test_a_migration_waits_for_readers_without_holding_up_others(
    filled: Settings, connection: Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "MIGRATION_LOCK_SECONDS", 0.05)
    pauses = []
    with closing(database.connect(filled)) as reader:
        reader.autocommit = False
        reader.execute("select count(*) from posts")

        def pause(_: float) -> None:
            pauses.append(connection.execute("select count(*) as n from posts").fetchone())
            if len(pauses) == 3:
                reader.rollback()

        patch_time(monkeypatch, database, sleep=pause)
        migrate(filled)
    assert pauses[:3] == [{"n": 5001}] * 3


def test_a_table_that_stays_in_use_is_said_and_what_is_finished_stays(
    filled: Settings, connection: Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "MIGRATION_LOCK_SECONDS", 0.02)
    monkeypatch.setattr(database, "MIGRATION_PAUSE_SECONDS", 0)
    monkeypatch.setattr(database, "MIGRATION_ATTEMPTS", 2)
    with closing(database.connect(filled)) as reader:
        reader.autocommit = False
        reader.execute("select count(*) from likes")
        with pytest.raises(RetryableError, match="End them, and try again"):
            migrate(filled)
    assert _revision(connection) == "0015"
    migrate(filled)
    assert _revision(connection) > "0015"


@pytest.mark.parametrize(
    "interrupted",
    [
        pytest.param("update posts set photo = null where id > 3000", id="while posts get their photos"),
        pytest.param("drop index items_by_age", id="while indexes are built"),
        pytest.param("alter table posts drop constraint posts_photo_fkey", id="before the foreign key"),
        pytest.param("select 1", id="before it is noted"),
    ],
)
def test_an_interrupted_migration_is_repeated(
    filled: Settings, connection: Connection[DictRow], interrupted: str
) -> None:
    migrate(filled, "0029")
    connection.execute(interrupted)
    connection.execute(f"update {VERSION_TABLE} set version_num = '0028'")  # noqa: S608  a constant
    migrate(filled, "0029")
    assert _revision(connection) == "0029"
    counted = connection.execute("select count(*) as n from posts where photo is null").fetchone()
    assert counted == {"n": 0}


def test_migrations_of_two_processes_take_turns(new_database: Callable[[], Settings]) -> None:
    settings = new_database()
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(migrate, [settings, settings]))
    with closing(database.connect(settings)) as connection:
        assert _revision(connection) >= "0029"


def _revision(connection: Connection[DictRow]) -> str:
    row = connection.execute(f"select version_num from {VERSION_TABLE}").fetchone()  # noqa: S608  a constant
    assert row is not None
    return str(row["version_num"])
