"""Feast's offline store on the lake: DuckDB joins Parquet parts that never change."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
from feast import Entity, FeatureView, RepoConfig
from feast.data_source import DataSource
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob, RetrievalMetadata
from feast.infra.offline_stores.offline_utils import infer_event_timestamp_from_entity_df
from feast.infra.registry.base_registry import BaseRegistry
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import FeastConfigBaseModel
from pydantic import StrictStr

from photofeed.errors import InvalidError
from photofeed.object_store import S3ObjectStore
from photofeed.offline_store.columns import conform, history_schema, names_and_types, quoted
from photofeed.offline_store.contracts import feature_contract
from photofeed.offline_store.entity_rows import entity_rows, rows_of_range, tables_named
from photofeed.offline_store.lake import TRANSFERS, Lake, LakeFolder
from photofeed.offline_store.parts import ALWAYS, Hours
from photofeed.offline_store.point_in_time import History, point_in_time_query
from photofeed.offline_store.quarantine import admit
from photofeed.offline_store.retrieval import DuckDBRetrievalJob, newest, rows_between
from photofeed.offline_store.spilling import NO_PROGRESS, spilling
from photofeed.offline_store.tables import ENGAGEMENT, FEED_SERVED
from photofeed.settings import DUCKDB_MEMORY_MB, Settings

_ENTITY_ROWS = "entity_rows"


class LakeOfflineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]  # feast has no types
    """Options of the store in feature_store.yaml."""

    type: StrictStr = "photofeed.offline_store.LakeOfflineStore"
    endpoint_url: StrictStr
    access_key: StrictStr | None = None
    """Without keys, those of boto3's default chain are used."""
    secret_key: StrictStr | None = None
    region: StrictStr = "us-east-1"
    cache_dir: Path
    """Folder of the mirrored parts; processes may share it, and it may be removed at any time."""
    spark_master: StrictStr | None = None
    """Only SparkLakeOfflineStore uses it; it is an option here so that one feature_store.yaml works for both."""
    memory_mb: int = DUCKDB_MEMORY_MB
    """Memory limit of DuckDB's joins in MB; beyond it DuckDB spills to disk, beside the mirror."""
    filter_by_created_timestamp: bool = True
    """Leave out rows created after the entity row's time. Without it, late rows leak into training."""


class LakeOfflineStore(OfflineStore):  # type: ignore[misc]  # feast has no types
    """History of feature views at `FileSource(path="s3://bucket/folder")`.

    Endpoint and credentials are those of the store; those of the source are ignored.
    """

    supports_filter_by_created_timestamp = True

    @staticmethod
    def ensure_source(config: RepoConfig, feature_view: FeatureView, entities: Iterable[Entity] = ()) -> None:
        """Declare the columns of a view's source, so that it can be written, and read even while it is empty.

        Args:
            config: the configuration of the repo.
            feature_view: from the registry, or from the repo together with `entities`.
            entities: entities of the repo; entities of other views are ignored.
        """
        schema = history_schema(feature_view, entities)
        lake_of(config).declare(LakeFolder.from_uri(feature_view.batch_source.path), schema)

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: Any,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        filter_by_created_timestamp: bool = False,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """Point-in-time join: each entity row with the features known at its time; rows without history are kept.

        The result has the order of the entity rows. Keys may be integers or the ids of the API. `entity_df` may be SQL
        over the tables `engagement` and `feed_served` and the feature views by their names. Without it, the result has
        every row of the views from `start_date` to `end_date`.

        Raises:
            InvalidError: the entity rows do not fit the features; the message says how.
        """
        connection, of_range = _connect(config), entity_df is None
        if isinstance(entity_df, str):
            entity_df = _rows_of_sql(config, connection, entity_df, feature_views[0], registry, project)
        hours = ALWAYS if of_range else hours_before(entity_df, feature_views)
        lake = lake_of(config)
        # each view needs a listing and a schema from object storage: request them together
        with ThreadPoolExecutor(TRANSFERS) as pool:
            parts = list(pool.map(lambda view: _parts(lake, view.batch_source, hours), feature_views))
        histories = {
            view.name: History.of(view, rows, feature_refs, full_feature_names)
            for view, rows in zip(feature_views, parts, strict=True)
        }
        if of_range:
            entity_df = rows_of_range(connection, histories, start_date, end_date)
            histories = {view: replace(history, after=False) for view, history in histories.items()}
        moment, moments = moments_of(entity_df)
        asked = entity_rows(entity_df, histories)
        typed = asked.frame
        if not pd.api.types.is_datetime64_any_dtype(typed[moment]):
            typed = typed.assign(**{moment: moments})
        connection.register(_ENTITY_ROWS, pa.Table.from_pandas(typed, preserve_index=False))
        joined = [replace(history, keys=asked.joined_by(history.keys)) for history in histories.values()]
        # a row of a range is joined at its own time, and it becomes known a little later
        hide_late = not of_range and (filter_by_created_timestamp or config.offline_store.filter_by_created_timestamp)
        return DuckDBRetrievalJob(
            connection,
            point_in_time_query(_ENTITY_ROWS, moment, joined, hide_late, asked.hidden),
            OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry),
            full_feature_names,
            RetrievalMetadata(
                features=feature_refs,
                keys=[column for column in entity_df.columns if column != moment],
                min_event_timestamp=moments.min().to_pydatetime(),
                max_event_timestamp=moments.max().to_pydatetime(),
            ),
        )

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> RetrievalJob:
        """The newest row of each entity within a time range; `feast materialize` writes them online."""
        moments = [name for name in (timestamp_field, created_timestamp_column) if name]
        columns = [*join_key_columns, *feature_name_columns, *moments]
        rows = _rows(config, data_source, columns, timestamp_field, Hours(start_date, end_date))
        return DuckDBRetrievalJob(_connect(config), newest(rows, join_key_columns, moments))

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """Every row within a time range."""
        moments = [name for name in (timestamp_field, created_timestamp_column) if name]
        columns = [*join_key_columns, *feature_name_columns, *moments]
        rows = _rows(config, data_source, columns, timestamp_field, Hours(start_date, end_date))
        return DuckDBRetrievalJob(_connect(config), rows)

    @staticmethod
    def offline_write_batch(
        config: RepoConfig,
        feature_view: FeatureView,
        table: pa.Table,
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Append rows to the view's history, as one part per hour of event time.

        Rows that break the view's contract go to the quarantine instead.

        Raises:
            ValueError: columns are missing or unknown, or have another type.
        """
        lake, source = lake_of(config), feature_view.batch_source
        folder = LakeFolder.from_uri(source.path)
        schema = lake.schema(folder)
        moments = [name for name in (source.timestamp_field, source.created_timestamp_column) if name]
        contract = feature_contract(feature_view.name, schema, feature_view.join_keys, moments)
        lake.append(folder, admit(lake, folder.bucket, contract, conform(table, schema)), source.timestamp_field)
        if progress:
            progress(table.num_rows)

    def validate_data_source(self, config: RepoConfig, data_source: DataSource) -> None:
        """Check that the source was declared and has its time columns.

        Raises:
            NotFoundError: it was not declared.
            ValueError: a time column is missing.
        """
        columns = dict(self.get_table_column_names_and_types_from_data_source(config, data_source))
        moments = [data_source.timestamp_field, data_source.created_timestamp_column]
        if missing := [name for name in moments if name and name not in columns]:
            raise ValueError(f"{data_source.path} has no column {', '.join(missing)}; it has {', '.join(columns)}")

    def get_table_column_names_and_types_from_data_source(
        self, config: RepoConfig, data_source: DataSource
    ) -> Sequence[tuple[str, str]]:
        """The declared columns of the source."""
        return names_and_types(lake_of(config).schema(LakeFolder.from_uri(data_source.path)))


def moments_of(entity_df: Any) -> tuple[str, Any]:
    """The event timestamp column of the entity rows, and its values in UTC."""
    name = infer_event_timestamp_from_entity_df(dict(entity_df.dtypes))
    column = entity_df[name]
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return name, column.dt.tz_convert("UTC")
    return name, pd.to_datetime(column, utc=True)


def hours_before(entity_df: Any, feature_views: Iterable[FeatureView]) -> Hours:
    """The hours that can hold the result: from the first entity row's time minus the longest `ttl` to the last's."""
    _, moments = moments_of(entity_df)
    if moments.empty:
        return ALWAYS
    ttls = [view.ttl for view in feature_views]
    first = moments.min().to_pydatetime() - max(ttls) if all(ttls) else None
    return Hours(first, moments.max().to_pydatetime())


def _connect(config: RepoConfig) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection for one job; it is closed when the job is garbage-collected."""
    store = config.offline_store
    connection = duckdb.connect(config=spilling(store.cache_dir, store.memory_mb))
    return connection.execute(f"set TimeZone = 'UTC'; {NO_PROGRESS}")


def _rows_of_sql(
    config: RepoConfig,
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    feature_view: FeatureView,
    registry: BaseRegistry,
    project: str,
) -> pd.DataFrame:
    """The result of a query over the raw logs and the feature views, those that it names."""
    lake, bucket = lake_of(config), LakeFolder.from_uri(feature_view.batch_source.path).bucket
    for table in tables_named(sql, (ENGAGEMENT, FEED_SERVED)):
        files = [str(file) for file in lake.mirror(LakeFolder(bucket, table))]
        if not files:
            raise InvalidError(f"the table {table} is empty")
        connection.register(table, connection.read_parquet(files, hive_partitioning=False, union_by_name=True))
    views = {view.name: view for view in registry.list_feature_views(project)}
    for name in tables_named(sql, views):
        source = _parts(lake, views[name].batch_source, ALWAYS)
        connection.execute(f"create temp view {quoted(name)} as from {source}")
    try:
        found: pd.DataFrame = connection.sql(sql).df()
    except duckdb.Error as error:
        raise InvalidError(f"entity_df as SQL: {error}") from error
    return found


def _rows(config: RepoConfig, data_source: DataSource, columns: list[str], event_time: str, hours: Hours) -> str:
    """SQL for a source's rows of a time range."""
    return rows_between(_parts(lake_of(config), data_source, hours), columns, event_time, hours.first, hours.last)


def _parts(lake: Lake, data_source: DataSource, hours: Hours) -> str:
    """An SQL call that reads a source from local copies of its columns and parts."""
    folder = LakeFolder.from_uri(data_source.path)
    files = (lake.mirror_schema(folder), *lake.mirror(folder, hours))
    paths = ", ".join("'{}'".format(str(file).replace("'", "''")) for file in files)
    # no columns from folder names, because `day` and `hour` may be features
    return f"read_parquet([{paths}], union_by_name = true, hive_partitioning = false)"


def lake_of(config: RepoConfig) -> Lake:
    """The lake of the store's configuration."""
    store = config.offline_store
    return _open_lake(store.endpoint_url, store.region, store.access_key or "", store.secret_key or "", store.cache_dir)


@cache
def _open_lake(endpoint_url: str, region: str, access_key: str, secret_key: str, cache_dir: Path) -> Lake:
    storage = Settings(
        s3_endpoint_url=endpoint_url, s3_region=region, s3_access_key=access_key, s3_secret_key=secret_key
    )
    return Lake(S3ObjectStore.connect(storage), cache_dir)
