"""Makes a backup of a running photofeed.

The API and all workers go on, except the features worker, which waits while the lake is copied for the last time. The
order makes the parts fit together: what a later part lacks is repeated from an earlier one, and nothing is missing.
"""

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from ingestion.backup.archive import Manifest, NewArchive
from ingestion.backup.log import committed, copy_messages
from ingestion.backup.objects import MLFLOW, ObjectCopies, places
from ingestion.backup.tables import Snapshot, revision, snapshot
from ingestion.bootstrap.engagement import taking_over_features
from photofeed import database
from photofeed.doctor.postgres import newest_revision
from photofeed.errors import ConflictError, InvalidError
from photofeed.event_log import KafkaReader
from photofeed.object_store import s3_client
from photofeed.settings import Settings

PHOTOFEED = "photofeed"
ALEMBIC_TABLE = "alembic_version"
Told = Callable[[str], None]


def back_up(settings: Settings, folder: Path, told: Told, *, mlflow: bool = True) -> Manifest:
    """Write a backup into an empty folder.

    Raises:
        ConflictError: the folder has files, or the database has not been migrated to this version.
        InvalidError: a setting is missing.
        RetryableError: a system does not answer.
    """
    kept = places(settings, mlflow=mlflow)
    with ExitStack() as owned:
        tables = owned.enter_context(closing(database.connect(settings)))
        models = owned.enter_context(closing(connect_mlflow(settings))) if mlflow else None
        _require_revision(tables)
        archive = NewArchive.create(folder)
        reader = KafkaReader(settings)
        copies = ObjectCopies(owned.enter_context(closing(s3_client(settings))), archive, kept)
        told("copying objects")
        copies.follow()
        with taking_over_features(settings):
            # Nothing is counted until the lake is copied, so its history has exactly the events before these offsets.
            told("the features worker waits")
            offsets = committed(reader)
            photofeed = owned.enter_context(snapshot(tables))
            registry = owned.enter_context(snapshot(models)) if models else None
            copies.follow()
        told("copying messages")
        counts = {"messages": copy_messages(reader, archive), "objects": copies.finish()}
        told("copying tables")
        counts[PHOTOFEED] = photofeed.copy_to(archive, PHOTOFEED)
        if registry:
            counts[MLFLOW] = registry.copy_to(archive, MLFLOW)
        revisions = photofeed.revision(database.VERSION_TABLE), _revision(registry)
        return archive.finish(revisions, photofeed.taken_at, counts, offsets)


def connect_mlflow(settings: Settings) -> Connection[DictRow]:
    """A connection to MLflow's database, in autocommit mode.

    Raises:
        InvalidError: the settings do not name it.
    """
    if settings.mlflow_database_url is None:
        raise InvalidError(
            "settings: set PHOTOFEED_MLFLOW_DATABASE_URL to MLflow's PostgreSQL database, or use --without-mlflow and "
            "back it up by itself",
            code="settings",
        )
    url = settings.mlflow_database_url.get_secret_value().replace("postgresql+psycopg://", "postgresql://", 1)
    return psycopg.connect(url, autocommit=True, row_factory=dict_row, connect_timeout=5)


def _revision(registry: Snapshot | None) -> str:
    return registry.revision(ALEMBIC_TABLE) if registry else ""


def _require_revision(connection: Connection[DictRow]) -> None:
    found, newest = revision(connection, database.VERSION_TABLE), newest_revision()
    if found != newest:
        raise ConflictError(
            f"the database has schema {found or 'none'}, and this version needs {newest}: run `photofeed setup`",
            code="backup_version",
        )
