"""Makes a backup of a running photofeed.

The API and all workers go on, except that the features worker waits while the lake is copied for the last time, and the
relay while the snapshot is taken. The order makes the parts fit together: what a later part lacks is repeated from an
earlier one, and nothing refers to what is missing.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from ingestion.backup.archive import Manifest, NewArchive
from ingestion.backup.log import committed, copy_messages, ends
from ingestion.backup.objects import LAKE, MLFLOW, ObjectCopies, places
from ingestion.backup.tables import Snapshot, revision, snapshot
from ingestion.bootstrap.engagement import taking_over_features
from photofeed import database
from photofeed.doctor.postgres import newest_revision
from photofeed.errors import ConflictError, InvalidError, UnavailableError
from photofeed.event_log import KafkaReader
from photofeed.object_store import s3_client
from photofeed.settings import Settings

PHOTOFEED = "photofeed"
ALEMBIC_TABLE = "alembic_version"
Told = Callable[[str], None]
_RELAY_SECONDS, _RELAY_PAUSE_SECONDS = 120.0, 0.02  # a batch takes as long as Kafka lets it


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
        copies.begin()
        with taking_over_features(settings):
            # Nothing is counted until the lake is copied, so its history has exactly the events before these offsets.
            told("the features worker waits")
            offsets = committed(reader)
            copies.follow()
            with _relay_waits(settings):
                # Whatever the log has before these ends is about rows that the snapshot has.
                until = ends(reader)
                photofeed = owned.enter_context(snapshot(tables))
            registry = owned.enter_context(snapshot(models)) if models else None
        # The lake stays as it was before the ends of the log. Of the others, what rows of the snapshot name is kept.
        copies.add(kept.keys() - {LAKE})
        told("copying messages")
        counts = {"messages": copy_messages(reader, archive, until), "objects": copies.finish()}
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


@contextmanager
def _relay_waits(settings: Settings) -> Iterator[None]:
    """Nothing leaves the outbox while the context is open.

    Raises:
        UnavailableError: the relay does not finish its batch in time.
    """
    with closing(database.connect(settings)) as connection, connection.transaction():
        until = time.monotonic() + _RELAY_SECONDS
        while not database.try_leadership_now(connection, database.RELAYING):
            if time.monotonic() > until:
                raise UnavailableError("the relay does not finish its batch, so Kafka may be away: try again")
            time.sleep(_RELAY_PAUSE_SECONDS)
        yield


def _revision(registry: Snapshot | None) -> str:
    return registry.revision(ALEMBIC_TABLE) if registry else ""


def _require_revision(connection: Connection[DictRow]) -> None:
    found, newest = revision(connection, database.VERSION_TABLE), newest_revision()
    if found != newest:
        raise ConflictError(
            f"the database has schema {found or 'none'}, and this version needs {newest}: run `photofeed setup`",
            code="backup_version",
        )
