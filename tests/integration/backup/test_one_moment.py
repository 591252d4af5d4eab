"""A backup is of one moment: what is written while it is made is in none of its parts, and it lacks nothing older."""

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ingestion.backup.archive import Archive
from ingestion.backup.make import _relay_waits, back_up
from ingestion.backup.objects import ObjectCopies, stored_objects
from ingestion.outbox_relay import OutboxRelay
from photofeed import database
from photofeed.event_log import KafkaReader
from photofeed.events import Envelope
from photofeed.kafka_publisher import KafkaPublisher
from photofeed.kafka_topics import create_topics
from photofeed.object_store import S3ObjectStore
from photofeed.publication import AVATAR_REMOVED
from photofeed.redis_client import connect_redis
from photofeed.settings import Settings
from photofeed.topics import PHOTO_PROCESSED, all_topics
from tests.command_line import set_up, with_own_feature_repo
from tests.doubles.event_log import InMemoryEventLog

_USER = "insert into users (id, handle, display_name, created_at) values (%s, %s, 'Name', now())"


@pytest.fixture
def apart(
    new_database: Callable[[], Settings],
    settings_apart: Callable[[int], Settings],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Settings]:
    """Settings of a photofeed that is set up, and that no worker uses."""
    own = settings_apart(11).model_copy(update={"database_url": new_database().database_url})
    settings = with_own_feature_repo(own, tmp_path_factory.mktemp("backup"), "backup")
    database.migrate(settings)
    set_up(settings)
    create_topics(settings, all_topics())
    with connect_redis(settings) as client:
        yield settings
        client.flushdb()


def test_what_is_written_after_the_snapshot_is_in_no_part(
    apart: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, published = S3ObjectStore.connect(apart), KafkaPublisher(apart)
    before, after = (Envelope(AVATAR_REMOVED, key, {"photoId": 1}) for key in ("before", "after"))

    def put(bucket: str, name: str) -> None:
        store.put(bucket, name, name.encode(), "text/plain")

    for bucket in (apart.bucket_originals, apart.bucket_lake):
        put(bucket, "of-one-moment/before")
    add = ObjectCopies.add

    def later(copies: ObjectCopies, kinds: set[str]) -> None:
        """What others do between the snapshot and the last listing."""
        with closing(database.connect(apart)) as connection:
            connection.execute(_USER, (2, "after"))
        published.publish(PHOTO_PROCESSED.name, [after])
        for bucket in (apart.bucket_originals, apart.bucket_lake):
            put(bucket, "of-one-moment/after")
            store.delete(bucket, "of-one-moment/before")
        add(copies, kinds)

    monkeypatch.setattr(ObjectCopies, "add", later)
    with closing(published), closing(database.connect(apart)) as connection:
        connection.execute(_USER, (1, "before"))
        published.publish(PHOTO_PROCESSED.name, [before])
        back_up(apart, tmp_path / "backup", lambda _: None, mlflow=False)
    archive = Archive.open(tmp_path / "backup")
    with archive.read("tables/photofeed/users.copy.gz") as rows:
        assert [row.split(b"\t")[1] for row in rows] == [b"before"]
    ids = {Envelope.decode(message.value).id for message in KafkaReader(apart).read(PHOTO_PROCESSED.name)}
    assert {before.id, after.id} <= ids
    kept = {
        Envelope.decode(base64.b64decode(line["value"])).id
        for line in archive.lines(f"log/{PHOTO_PROCESSED.name}.jsonl.gz")
    }
    assert before.id in kept
    assert after.id not in kept
    names = {(one.kind, one.name) for one in stored_objects(archive) if one.name.startswith("of-one-moment/")}
    # a row of the snapshot may name an image that was deleted since; the lake is as it was
    assert names == {
        ("originals", "of-one-moment/before"),
        ("originals", "of-one-moment/after"),
        ("lake", "of-one-moment/before"),
    }


def test_nothing_leaves_the_outbox_while_the_snapshot_is_taken(apart: Settings) -> None:
    log = InMemoryEventLog()
    relay = OutboxRelay(lambda: database.connect(apart), log, threading.Event())
    with closing(database.connect(apart)) as connection:
        database.write_outbox_sync(connection, [(PHOTO_PROCESSED, Envelope("t", "waits", {}))])
        with _relay_waits(apart):
            assert relay.relay_batch(connection) == 0
        assert not list(log.read(PHOTO_PROCESSED.name))
        assert relay.relay_batch(connection) == 1
