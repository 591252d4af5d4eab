"""What a photofeed holds, in a form that can be compared with another one's."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, fields
from typing import Any

import duckdb
from feast.infra.registry.sql import metadata
from psycopg import Connection, sql
from psycopg.rows import DictRow

from ingestion.backup.make import connect_mlflow
from ingestion.backup.objects import places
from photofeed import database
from photofeed.feature_store import close_feature_store, open_feature_store
from photofeed.object_store import s3_client
from photofeed.offline_store.lake import LakeFolder, open_lake
from photofeed.online_store.keys import scan_pattern
from photofeed.redis_client import connect_redis
from photofeed.settings import Settings

# Feast notes when it applied the repo, and workers note that they live.
_NOT_COMPARED = {*metadata.tables, "write_marks"}
_TABLES = "select tablename as name from pg_tables where schemaname = current_schema() order by 1"
_DIGEST = "select count(*) as n, coalesce(md5(string_agg(md5(t::text), '' order by md5(t::text))), '') as md5 from {} t"
_HISTORY = """
    select count(*), bit_xor(hash(one)) from (
        select distinct columns(lambda c: c not in ('archived_at', 'created'))
        from read_parquet({}, union_by_name = true, hive_partitioning = false)
    ) as one
"""
_WRITTEN = slice(13, 21)  # of a row of features: when it was written; a rebuild writes it again


@dataclass(frozen=True, slots=True)
class Facts:
    """What was compared, each by a name: rows of tables and of history, bytes of objects, rows of features."""

    tables: dict[str, str]
    models: dict[str, str]
    images: dict[str, str]
    history: dict[str, str]
    features: dict[str, str]

    def differences(self, other: "Facts") -> Iterator[str]:
        """A line for each thing in which another one differs."""
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            for name in sorted(mine.keys() | theirs.keys()):
                if mine.get(name) != theirs.get(name):
                    yield f"{each.name}\t{name}\t{mine.get(name)}\t{theirs.get(name)}"


def facts_of(settings: Settings) -> Facts:
    """The facts of the systems of these settings."""
    with ExitStack() as owned:
        mine = owned.enter_context(closing(database.connect(settings)))
        models = owned.enter_context(closing(connect_mlflow(settings)))
        return Facts(
            _digests(mine, "photofeed"),
            _digests(models, "mlflow"),
            _images(settings),
            _history(settings),
            _rows(settings),
        )


def _digests(connection: Connection[DictRow], name: str) -> dict[str, str]:
    found = {}
    for table in connection.execute(_TABLES).fetchall():
        if name == "mlflow" or table["name"] not in _NOT_COMPARED:
            row = connection.execute(sql.SQL(_DIGEST).format(sql.Identifier(table["name"]))).fetchone()
            assert row is not None  # noqa: S101  an aggregate has one row
            found[table["name"]] = f"{row['n']} rows, {row['md5']}"
    return found


def _images(settings: Settings) -> dict[str, str]:
    """All objects except the lake's, whose parts are merged all the time."""
    found = {}
    with closing(s3_client(settings)) as client:
        for kind, place in places(settings, mlflow=True).items():
            if kind == "lake":
                continue
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=place.prefix):
                for one in page.get("Contents", []):
                    body = client.get_object(Bucket=place.bucket, Key=one["Key"])["Body"].read()
                    found[f"{kind}/{one['Key']}"] = hashlib.sha256(body).hexdigest()
    return found


def _history(settings: Settings) -> dict[str, str]:
    lake = open_lake(settings)
    keys = lake.objects.keys(settings.bucket_lake, "")
    prefixes = {key.partition("/day=")[0] for key in keys if "/day=" in key}
    found = {}
    with duckdb.connect() as connection:
        for prefix in sorted(prefixes):
            files = [str(file) for file in lake.mirror(LakeFolder(settings.bucket_lake, prefix))]
            row = connection.execute(_HISTORY.format(files)).fetchone()
            found[prefix] = f"{row[0]} rows, {row[1]}" if row else "none"
    return found


def _rows(settings: Settings) -> dict[str, str]:
    """The rows of features in Redis."""
    store: Any = open_feature_store(settings)
    try:
        views = [view.name for view in store.list_feature_views()]
        project = store.project
    finally:
        close_feature_store(store)
    found = {}
    with closing(connect_redis(settings)) as client:
        for view in views:
            rows = hashlib.sha256()
            keys = sorted(client.scan_iter(scan_pattern(project, view), count=1_000))
            for key in keys:
                row = bytes(client.get(key) or b"")
                rows.update(key + row[: _WRITTEN.start] + row[_WRITTEN.stop :])
            found[view] = f"{len(keys)} rows, {rows.hexdigest()}"
    return found
