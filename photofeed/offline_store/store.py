"""Feast's offline store on a lake: DuckDB joins, on parts that are appended and never rewritten."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
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

from photofeed.object_store import S3ObjectStore
from photofeed.offline_store.columns import conform, history_schema, names_and_types
from photofeed.offline_store.contracts import feature_contract
from photofeed.offline_store.lake import TRANSFERS, Lake, LakeFolder
from photofeed.offline_store.parts import ALWAYS, Hours
from photofeed.offline_store.point_in_time import History, join_what_was_known
from photofeed.offline_store.quarantine import admit
from photofeed.offline_store.retrieval import DuckDBRetrievalJob, newest, rows_between
from photofeed.offline_store.spilling import spilling
from photofeed.settings import DUCKDB_MEMORY_MB, Settings

_ASKED = "asked"


class LakeOfflineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]  # feast has no types
    """What feature_store.yaml says of the store."""

    type: StrictStr = "photofeed.offline_store.LakeOfflineStore"
    endpoint_url: StrictStr
    access_key: StrictStr
    secret_key: StrictStr
    region: StrictStr = "us-east-1"
    cache_dir: Path
    """Where parts are mirrored to; may be shared by processes, and removed at any time."""
    spark_master: StrictStr | None = None
    """Only SparkLakeOfflineStore asks for it; so one feature_store.yaml does for both."""
    memory_mb: int = DUCKDB_MEMORY_MB
    """How much DuckDB may hold while it joins; beyond that it spills to disk, beside the mirror."""
    filter_by_created_timestamp: bool = True
    """Leave out rows created after the moment asked for. Without it rows that came late leak into training."""


class LakeOfflineStore(OfflineStore):  # type: ignore[misc]  # feast has no types
    """History of feature views at `FileSource(path="s3://bucket/folder")`.

    The source's own endpoint and credentials are not used: those of the store are.
    """

    supports_filter_by_created_timestamp = True

    @staticmethod
    def ensure_source(config: RepoConfig, feature_view: FeatureView, entities: Iterable[Entity] = ()) -> None:
        """Declare the columns of a view's source, so that rows can be written and read, even before there are any.

        Args:
            config: the repo's.
            feature_view: from the registry, or from the repo together with its entities.
            entities: of the repo; those the view does not have are fine.
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
    ) -> RetrievalJob:
        """Point-in-time join: for each entity row what was known of it at its time; rows without history are kept."""
        moment, moments = moments_of(entity_df)
        if not pd.api.types.is_datetime64_any_dtype(entity_df[moment]):
            entity_df = entity_df.assign(**{moment: moments})
        hours, lake = hours_before(entity_df, feature_views), lake_of(config)
        # a listing and a schema from object storage each: of all views at once
        with ThreadPoolExecutor(TRANSFERS) as lookers:
            looked = lookers.map(lambda view: _parts(lake, view.batch_source, hours), feature_views)
            connection = _connect(config)  # meanwhile
            connection.register(_ASKED, pa.Table.from_pandas(entity_df, preserve_index=False))
            histories = [
                History.of(view, rows, feature_refs, full_feature_names)
                for view, rows in zip(feature_views, looked, strict=True)
            ]
        hide_late = filter_by_created_timestamp or config.offline_store.filter_by_created_timestamp
        return DuckDBRetrievalJob(
            connection,
            join_what_was_known(_ASKED, moment, histories, hide_late),
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
        """The newest row of each entity within a time range: what `feast materialize` writes online."""
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
            ValueError: columns missing or unknown, or of another type.
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
        """Columns of the source as it was declared."""
        return names_and_types(lake_of(config).schema(LakeFolder.from_uri(data_source.path)))


def moments_of(entity_df: Any) -> tuple[str, Any]:
    """The column of entity rows that says when each asks, and its times in UTC."""
    name = infer_event_timestamp_from_entity_df(dict(entity_df.dtypes))
    column = entity_df[name]
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return name, column.dt.tz_convert("UTC")
    return name, pd.to_datetime(column, utc=True)


def hours_before(entity_df: Any, feature_views: Iterable[FeatureView]) -> Hours:
    """The hours that can hold the answer: to the last moment asked for, from as long before the first as rows live."""
    _, moments = moments_of(entity_df)
    if moments.empty:
        return ALWAYS
    lives = [view.ttl for view in feature_views]
    first = moments.min().to_pydatetime() - max(lives) if all(lives) else None
    return Hours(first, moments.max().to_pydatetime())


def _connect(config: RepoConfig) -> duckdb.DuckDBPyConnection:
    """DuckDB for one answer; it is closed when its job is forgotten."""
    store = config.offline_store
    connection = duckdb.connect(config=spilling(store.cache_dir, store.memory_mb))
    return connection.execute("set TimeZone = 'UTC'")


def _rows(config: RepoConfig, data_source: DataSource, columns: list[str], happened: str, hours: Hours) -> str:
    """SQL for a source's rows of a time range."""
    return rows_between(_parts(lake_of(config), data_source, hours), columns, happened, hours.first, hours.last)


def _parts(lake: Lake, data_source: DataSource, hours: Hours) -> str:
    """What SQL selects from to read a source: local copies of its columns and parts."""
    folder = LakeFolder.from_uri(data_source.path)
    files = (lake.mirror_schema(folder), *lake.mirror(folder, hours))
    paths = ", ".join("'{}'".format(str(file).replace("'", "''")) for file in files)
    # no columns from folder names: `day` and `hour` may well be features
    return f"read_parquet([{paths}], union_by_name = true, hive_partitioning = false)"


def lake_of(config: RepoConfig) -> Lake:
    """The lake that the store's configuration names."""
    store = config.offline_store
    return _open_lake(store.endpoint_url, store.region, store.access_key, store.secret_key, store.cache_dir)


@cache
def _open_lake(endpoint_url: str, region: str, access_key: str, secret_key: str, cache_dir: Path) -> Lake:
    storage = Settings(
        s3_endpoint_url=endpoint_url, s3_region=region, s3_access_key=access_key, s3_secret_key=secret_key
    )
    return Lake(S3ObjectStore.connect(storage), cache_dir)
