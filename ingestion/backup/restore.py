"""Restores a backup into empty systems. Everything is checked before anything is changed."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow

from ingestion.backup import log, objects, tables
from ingestion.backup.archive import Archive
from ingestion.backup.make import ALEMBIC_TABLE, PHOTOFEED, Told, connect_mlflow
from ingestion.bootstrap.engagement import engagement_pipeline, restore_features
from photofeed import database
from photofeed.counted_ids import counting_partitions
from photofeed.erasures import request_statements
from photofeed.errors import ConflictError, InvalidError, NotFoundError
from photofeed.event_log import KafkaReader
from photofeed.feature_store import apply_feature_repo, close_feature_store, open_feature_store
from photofeed.ids import decode_id
from photofeed.kafka_topics import create_topics
from photofeed.object_store import S3ObjectStore
from photofeed.redis_client import connect_redis, primaries
from photofeed.settings import Settings
from photofeed.topics import all_topics

# What MLflow writes into a new database by itself.
_MLFLOW_OWN = frozenset({ALEMBIC_TABLE, "experiments", "workspaces"})
_LAYOUTS = b"layouts:"
_ERASABLE = "select 1 from users u where id = %s and not exists (select 1 from erasures e where e.user_id = u.id)"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored: rows, objects and messages, events that count as counted, and accounts deleted again."""

    rows: int
    objects: int
    messages: int
    counted: int
    erased: int


def restore(settings: Settings, folder: Path, told: Told, erased: Sequence[int] = ()) -> Restored:
    """Restore a backup into the systems of the settings, which must be empty; no API and no worker may run.

    Args:
        settings: where the systems are.
        folder: of the backup.
        told: called with each step.
        erased: people who deleted their account after the backup was made; their accounts are deleted again.

    Raises:
        NotFoundError: the folder has no complete backup.
        InvalidError: it is of another version, or damaged, or a setting is missing.
        ConflictError: a system is not empty, or in use.
        RetryableError: a system does not answer.
    """
    archive = Archive.open(folder)
    archive.manifest.require_this_version()
    mlflow, store = archive.manifest.has_mlflow, S3ObjectStore.connect(settings)
    places = objects.places(settings, mlflow=mlflow)
    with ExitStack() as owned:
        connection = owned.enter_context(closing(database.connect(settings)))
        registry = owned.enter_context(closing(connect_mlflow(settings))) if mlflow else None
        told("verifying the backup")
        archive.verify({one.sha256 for one in objects.stored_objects(archive)})
        told("looking for data in the systems")
        _require_empty(settings, archive, connection, registry)
        objects.require_no_others(store, archive, places)
        told("setting up")
        database.migrate(settings)
        create_topics(settings, all_topics())
        apply_feature_repo(settings, store)  # makes Feast's tables
        told("restoring objects")
        objects.put_objects(store, archive, places)
        told("restoring tables")
        again = _load(connection, archive, erased)
        if registry:
            with registry.transaction():
                tables.load(registry, archive, objects.MLFLOW)
        told("restoring messages")
        log.set_offsets(settings, log.publish_again(settings, archive))
        told("rebuilding features")
        counted = _rebuild(settings, store, connection)
    counts = archive.manifest.counts
    rows = sum(sum(counts.get(name, {}).values()) for name in (PHOTOFEED, objects.MLFLOW))
    return Restored(rows, sum(counts["objects"].values()), sum(counts["messages"].values()), counted, again)


def read_erased(file: Path) -> list[int]:
    """The ids of people in the first column of a tab-separated file, as `photofeed erasure list` prints them.

    Raises:
        InvalidError: a line does not begin with an id.
    """
    people = []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if line.strip():
            try:
                people.append(decode_id(line.split("\t")[0].strip()))
            except NotFoundError:
                raise InvalidError(f"{file}:{number}: does not begin with the id of a person") from None
    return people


def _require_empty(
    settings: Settings, archive: Archive, connection: Connection[DictRow], registry: Connection[DictRow] | None
) -> None:
    if filled := tables.first_filled(connection, {database.VERSION_TABLE, *_feast_tables()}):
        raise ConflictError(
            f"the database has rows in {filled}: restore into an empty one, with PHOTOFEED_DATABASE_URL",
            code="not_empty",
        )
    if registry:
        found, wanted = tables.revision(registry, ALEMBIC_TABLE), archive.manifest.mlflow_revision
        if found != wanted:
            raise InvalidError(
                f"MLflow's database has schema {found or 'none'}, and the backup {wanted}: "
                "start the MLflow of the backup's version on it once",
                code="backup_version",
            )
        if filled := tables.first_filled(registry, _MLFLOW_OWN):
            raise ConflictError(f"MLflow's database has rows in {filled}: restore into an empty one", code="not_empty")
    log.require_empty(KafkaReader(settings))
    with closing(connect_redis(settings)) as client:
        for one in primaries(client):
            for key in one.scan_iter(count=1_000):
                if not key.startswith(_LAYOUTS):
                    raise ConflictError(
                        "Redis has keys: empty it (FLUSHDB), because what it holds is rebuilt", code="not_empty"
                    )


def _feast_tables() -> frozenset[str]:
    from feast.infra.registry.sql import metadata  # noqa: PLC0415  seconds, which a refusal before it saves

    return frozenset(metadata.tables)


def _load(connection: Connection[DictRow], archive: Archive, erased: Sequence[int]) -> int:
    """Load photofeed's tables; accounts that were deleted since are deleted in the same transaction."""
    again = 0
    with connection.transaction():
        tables.load(connection, archive, PHOTOFEED)
        for user_id in erased:
            if connection.execute(_ERASABLE, (user_id,)).fetchone():
                again += 1
                for statement, parameters in request_statements(user_id):
                    connection.execute(statement, parameters)
    connection.execute("analyze")
    return again


def _rebuild(settings: Settings, store: S3ObjectStore, connection: Any) -> int:
    """Rebuild the features in Redis, as `photofeed features rebuild` does; timelines are rebuilt by fan-out."""
    if not database.try_leadership(connection, database.FEATURES_LEADER):
        raise ConflictError("the features worker is running: stop it, and run `photofeed features rebuild`")
    apply_feature_repo(settings, store)  # registers the row layouts of the restored manifest
    features = open_feature_store(settings)
    try:
        with connect_redis(settings) as client:
            pipelines = [
                engagement_pipeline(settings, features, client, partition=partition)
                for partition in counting_partitions(settings)
            ]
            return restore_features(settings, features, client, pipelines).counted
    finally:
        close_feature_store(features)
