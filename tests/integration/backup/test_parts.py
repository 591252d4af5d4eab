"""The parts of a backup on real servers: tables, objects, offsets, and what a restore refuses."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.rows import DictRow

from ingestion.backup import log, tables
from ingestion.backup import restore as restoring
from ingestion.backup.archive import Archive, NewArchive
from ingestion.backup.objects import INDEX, ObjectCopies, Place, put_objects, require_no_others, stored_objects
from ingestion.backup.restore import _load, restore
from photofeed import database
from photofeed.doctor.postgres import newest_revision
from photofeed.errors import ConflictError, InvalidError, RetryableError
from photofeed.event_log import KafkaReader
from photofeed.events import Envelope
from photofeed.ids import encode_id
from photofeed.kafka_topics import create_topics
from photofeed.object_store import S3ObjectStore, s3_client
from photofeed.redis_client import connect_redis
from photofeed.settings import Settings
from photofeed.topics import ENGAGEMENT
from tests.command_line import photofeed
from tests.doubles.event_log import InMemoryEventLog

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

ADA, BEN = 11, 12
_USER = "insert into users (id, handle, display_name, created_at) values ({}, '{}', 'Name', now())"
_ROWS = """
    insert into users (id, handle, display_name, created_at)
        values (11, 'ada', E'Ada\\t\\\\N "Å" 🙂', now()), (12, 'ben', 'Ben', now());
    insert into photos (id, owner_id, original_key, media_type, byte_size, status, created_at)
        values (101, 11, 'k', 'image/jpeg', 5, 'processing', now());
    insert into follows (follower_id, followee_id, created_at) values (12, 11, now());
    insert into model_moves (model, alias, version, actor, reason) values ('m', 'champion', '1', 'me', 'why');
"""


def _user(number: int, handle: str) -> bytes:
    return _USER.format(number, handle).encode()


@pytest.fixture
def migrated(new_database: Callable[[], Settings]) -> Callable[[], Settings]:
    """Makes settings of the stack with a new database that is migrated."""

    def make() -> Settings:
        settings = new_database()
        database.migrate(settings)
        return settings

    return make


@contextmanager
def _connections(*settings: Settings) -> Iterator[list[Connection[DictRow]]]:
    connections = [database.connect(each) for each in settings]
    try:
        yield connections
    finally:
        for each in connections:
            each.close()


def _finished(new: NewArchive, revision: str = "") -> Archive:
    new.finish((revision or newest_revision(), ""), datetime.now(UTC), {"objects": {}}, {})
    return Archive.open(new.folder)


def _all(connection: Connection[DictRow]) -> dict[str, list[str]]:
    """The rows of every table, as text."""
    names = [row["name"] for row in connection.execute(tables._TABLES).fetchall()]
    return {
        name: sorted(
            row["row"]
            for row in connection.execute(sql.SQL("select t::text as row from {} t").format(sql.Identifier(name)))
        )
        for name in names
    }


def test_a_database_is_the_same_again_as_of_its_snapshot(migrated: Callable[[], Settings], tmp_path: Path) -> None:
    new = NewArchive.create(tmp_path / "backup")
    settings = migrated()
    with _connections(settings, settings, migrated()) as (source, other, target):
        source.execute(_ROWS)
        before = _all(source)
        with tables.snapshot(source) as taken:
            other.execute(_user(13, "late"))
            counts = taken.copy_to(new, "photofeed")
            assert taken.revision(database.VERSION_TABLE) == newest_revision()
        archive = _finished(new)
        with target.transaction():
            tables.load(target, archive, "photofeed")
        assert _all(target) == before
        assert counts["users"] == 2
        # as before: numbers go on, keys and triggers hold
        target.execute("insert into model_moves (model, alias, actor, reason) values ('m', 'champion', 'me', '')")
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            target.execute("insert into follows (follower_id, followee_id, created_at) values (12, 99, now())")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            target.execute("delete from model_moves")


def test_a_database_with_rows_names_the_table(migrated: Callable[[], Settings]) -> None:
    with _connections(migrated()) as (connection,):
        assert tables.first_filled(connection, {database.VERSION_TABLE}) is None
        connection.execute(_user(1, "ada"))
        assert tables.first_filled(connection, {database.VERSION_TABLE}) == "users"


def test_a_database_of_another_schema_is_refused_and_stays(migrated: Callable[[], Settings], tmp_path: Path) -> None:
    new = NewArchive.create(tmp_path / "backup")
    with _connections(migrated(), migrated()) as (source, target):
        with tables.snapshot(source) as taken:
            taken.copy_to(new, "photofeed")
        target.execute(_user(1, "ada"))
        target.execute("alter table hides add column why text")
        with pytest.raises(InvalidError, match="other columns than the backup in hides"), target.transaction():
            tables.load(target, _finished(new), "photofeed")
        assert tables.first_filled(target, {database.VERSION_TABLE}) == "users"


def test_an_account_that_was_deleted_after_the_backup_does_not_return(
    migrated: Callable[[], Settings], tmp_path: Path
) -> None:
    new = NewArchive.create(tmp_path / "backup")
    settings = migrated()
    with _connections(settings, migrated()) as (source, target):
        source.execute(_ROWS)
        with tables.snapshot(source) as taken:
            taken.copy_to(new, "photofeed")
        assert _load(target, _finished(new), [ADA, 999]) == 1
        handles = {row["id"]: row["handle"] for row in target.execute("select id, handle from users")}
        assert handles[BEN] == "ben"
        assert handles[ADA].startswith("deleted_")
        assert [row["user_id"] for row in target.execute("select user_id from erasures")] == [ADA]


def test_deleted_accounts_are_listed_for_a_restore(migrated: Callable[[], Settings], tmp_path: Path) -> None:
    settings = migrated()
    with _connections(settings) as (connection,):
        connection.execute(
            "insert into erasures (user_id, requested_at) values (7, '2026-03-01'),"
            " (8, now() - interval '30 hours'), (9, now() - interval '20 hours'), (10, now())"
        )
    variables: dict[str, str | Path] = {
        "PHOTOFEED_ENV": "dev",
        "PHOTOFEED_STATE_DIR": tmp_path,
        "PHOTOFEED_DATABASE_URL": settings.database_url.get_secret_value(),
    }
    everybody = photofeed("erasure", "list", **variables)
    assert everybody.stdout.splitlines()[0] == f"{encode_id(7)}\t2026-03-01T00:00:00Z"
    assert len(everybody.stdout.splitlines()) == 4
    of_a_day = photofeed("erasure", "list", "--days", "1", **variables).stdout.splitlines()
    assert [line.partition("\t")[0] for line in of_a_day] == [encode_id(9), encode_id(10)]


@pytest.fixture
def buckets(stack: "EmbeddedStack") -> Iterator[tuple[Any, Place, Place]]:
    """A client, and two new buckets."""
    with closing(s3_client(stack.settings())) as client:
        names = [f"backup-{uuid.uuid4().hex[:8]}" for _ in range(2)]
        for name in names:
            client.create_bucket(Bucket=name)
        yield client, Place(names[0], "in/"), Place(names[1])


def test_copies_follow_what_is_written_changed_and_removed(
    stack: "EmbeddedStack", buckets: tuple[Any, Place, Place], tmp_path: Path
) -> None:
    client, source, target = buckets
    new = NewArchive.create(tmp_path / "backup")
    copies = ObjectCopies(client, new, {"lake": source})

    def put(key: str, body: bytes) -> None:
        client.put_object(Bucket=source.bucket, Key=key, Body=body, ContentType="image/webp", CacheControl="max-age=60")

    for key in ("in/a", "in/b/c d?.jpg", "in/gone", "outside"):
        put(key, key.encode())
    copies.follow()
    put("in/a", b"changed")
    put("in/new", b"new")
    client.delete_object(Bucket=source.bucket, Key="in/gone")
    copies.follow()
    assert copies.finish() == {"lake": 3}
    archive = _finished(new)
    store = S3ObjectStore.connect(stack.settings())
    require_no_others(store, archive, {"lake": target})
    put_objects(store, archive, {"lake": target})
    require_no_others(store, archive, {"lake": target})  # set-up writes some of a backup's objects, too
    assert {key: store.get(target.bucket, key) for key in store.keys(target.bucket, "")} == {
        "a": b"changed",
        "b/c d?.jpg": b"in/b/c d?.jpg",
        "new": b"new",
    }
    reply = client.head_object(Bucket=target.bucket, Key="a")
    assert (reply["ContentType"], reply["CacheControl"]) == ("image/webp", "max-age=60")
    store.put(target.bucket, "other", b"", "text/plain")
    with pytest.raises(ConflictError, match="has other, which is not in the backup"):
        require_no_others(store, archive, {"lake": target})


class _Busy:
    """A client of a bucket in which an object is deleted, and another is written, each time that one is copied."""

    def __init__(self, client: Any, deletes: str, becomes: str, times: int) -> None:
        self._client, self._deletes, self._becomes, self._times = client, deletes, becomes, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_object(self, *, Bucket: str, Key: str, IfMatch: str) -> Any:  # noqa: N803  names of boto3
        if Key.startswith(self._deletes) and self._times:
            self._times -= 1
            self._client.delete_object(Bucket=Bucket, Key=Key)
            self._client.put_object(Bucket=Bucket, Key=f"{self._becomes}{self._times}", Body=b"other")
        return self._client.get_object(Bucket=Bucket, Key=Key, IfMatch=IfMatch)


@pytest.mark.parametrize(
    ("kind", "times", "copied"),
    [
        ("variants", 1, {"a"}),  # what came after the listing is copied by the next one
        ("lake", 1, {"a", "part-0"}),  # the rows of a part are in another part now
        ("lake", 99, None),
    ],
)
def test_deleted_images_do_not_disturb_and_merged_parts_are_found(
    buckets: tuple[Any, Place, Place], tmp_path: Path, kind: str, times: int, copied: set[str] | None
) -> None:
    client, _, place = buckets
    for key in ("a", "part-x"):
        client.put_object(Bucket=place.bucket, Key=key, Body=key.encode())
    new = NewArchive.create(tmp_path / "backup")
    copies = ObjectCopies(_Busy(client, "part-", "part-", times), new, {kind: place})
    if copied is None:
        with pytest.raises(RetryableError, match="faster than they can be copied"):
            copies.follow()
        return
    copies.follow()
    copies.finish()
    assert {one.name for one in stored_objects(_finished(new))} == copied


def test_a_group_goes_on_at_the_offsets_that_were_set(stack: "EmbeddedStack") -> None:
    settings, group = stack.settings(), f"backup-{uuid.uuid4().hex[:8]}"
    create_topics(settings, [ENGAGEMENT])
    log.set_offsets(settings, {group: {ENGAGEMENT.name: {"0": 3, "2": 8}}, "nobody": {}})
    assert KafkaReader(settings).committed(group, ENGAGEMENT.name) == {
        (ENGAGEMENT.name, 0): 3,
        (ENGAGEMENT.name, 2): 8,
    }


def test_a_stack_with_data_is_refused_and_stays_as_it_is(migrated: Callable[[], Settings], tmp_path: Path) -> None:
    new = NewArchive.create(tmp_path / "backup")
    with new.write(INDEX):
        pass
    archive, told = _finished(new), list[str]()
    settings = migrated()
    with _connections(settings) as (connection,):
        connection.execute(_user(1, "ada"))
        with pytest.raises(ConflictError, match="the database has rows in users"):
            restore(settings, archive.folder, told.append)
        assert "setting up" not in told
        assert [row["handle"] for row in connection.execute("select handle from users")] == ["ada"]


@pytest.mark.parametrize(
    ("filled", "why"), [("log", "the topic engagement has messages"), ("redis", r"Redis has keys: .* \(FLUSHDB\)")]
)
def test_messages_and_keys_of_others_are_not_mixed_with_a_backup(
    migrated: Callable[[], Settings],
    settings_apart: Callable[[int], Settings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    filled: str,
    why: str,
) -> None:
    messages = InMemoryEventLog()
    # of the session's topics other tests have filled some
    monkeypatch.setattr(restoring, "KafkaReader", lambda _: messages)
    settings = migrated().model_copy(update={"redis_url": settings_apart(14).redis_url})
    new = NewArchive.create(tmp_path / "backup")
    with connect_redis(settings) as client, _connections(settings) as (connection,):
        client.set("layouts:of a set-up", b"")
        restoring._require_empty(settings, _finished(new), connection, None)
        if filled == "log":
            messages.publish(ENGAGEMENT.name, [Envelope("engagement", "1", {})])
        else:
            client.set("tl:1", b"")
        with pytest.raises(ConflictError, match=why):
            restoring._require_empty(settings, _finished(new), connection, None)
        client.flushdb()


def test_commands_refuse_in_one_line(stack: "EmbeddedStack", tmp_path: Path) -> None:
    settings = stack.settings()
    variables: dict[str, str | Path] = {
        "PHOTOFEED_ENV": "dev",
        "PHOTOFEED_STATE_DIR": tmp_path,
        "PHOTOFEED_DATABASE_URL": settings.database_url.get_secret_value(),
    }
    done = photofeed("backup", tmp_path / "backup", **variables)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert "PHOTOFEED_MLFLOW_DATABASE_URL" in done.stderr
    assert not (tmp_path / "backup").exists()
    done = photofeed("restore", tmp_path / "backup", **variables)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "has no manifest.json" in done.stderr
