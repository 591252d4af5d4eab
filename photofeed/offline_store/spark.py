"""Point-in-time joins on a Spark cluster, for training sets that outgrow one machine.

Definitions, parts and results are those of LakeOfflineStore. Spark's workers read the mirrored parts, so `cache_dir`
must be a folder that the driver and all workers share.
"""

import os
import sys
import weakref
from copy import copy
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from feast import FeatureView, RepoConfig
from feast.infra.offline_stores.contrib.spark_offline_store.spark import (
    SparkOfflineStore,
    SparkOfflineStoreConfig,
    SparkRetrievalJob,
)
from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource
from feast.infra.offline_stores.offline_store import RetrievalJob
from feast.infra.registry.base_registry import BaseRegistry
from pydantic import StrictStr
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from photofeed.errors import InvalidError
from photofeed.ids import uuid7
from photofeed.offline_store.lake import LakeFolder
from photofeed.offline_store.parts import Hours
from photofeed.offline_store.store import LakeOfflineStore, LakeOfflineStoreConfig, hours_before, lake_of

# Results depend on these: moments are UTC, and integers stay integers.
_ALWAYS = {"spark.sql.session.timeZone": "UTC", "spark.sql.execution.arrow.pyspark.enabled": "true"}
_UNLESS_GIVEN = {
    "spark.sql.shuffle.partitions": "8",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}
_ON_THIS_MACHINE = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


class SparkLakeOfflineStoreConfig(SparkOfflineStoreConfig, LakeOfflineStoreConfig):  # type: ignore[misc]  # no types
    """Options of the store in feature_store.yaml; `spark_conf` sets any other option of Spark."""

    type: StrictStr = "photofeed.offline_store.SparkLakeOfflineStore"
    spark_master: StrictStr
    """Spark's master URL: `spark://host:7077`, `yarn`, `local-cluster[2,1,2048]`."""


class SparkLakeOfflineStore(LakeOfflineStore):
    """LakeOfflineStore with point-in-time joins on Spark; rows are written in the same way."""

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

        The order of the result is Spark's.

        Raises:
            InvalidError: the entity rows are not a frame.
        """
        if not isinstance(entity_df, pd.DataFrame) or start_date or end_date:
            raise InvalidError("joins on Spark take entity_df as a frame; unset PHOTOFEED_SPARK_MASTER for the rest")
        spark, request_id = spark_session(config.offline_store), uuid7().replace("-", "")
        hours = hours_before(entity_df, feature_views)
        views = [_on_spark(spark, config, view, hours, f"{view.name}_{request_id}") for view in feature_views]
        # as a file, because a data frame of a few 100,000 rows would take most of the driver's memory
        entity_rows = config.offline_store.cache_dir / "entity-rows" / f"{request_id}.parquet"
        entity_rows.parent.mkdir(parents=True, exist_ok=True)
        rows = pa.Table.from_pandas(entity_df, preserve_index=False)
        pq.write_table(rows, entity_rows, coerce_timestamps="us", allow_truncated_timestamps=True)
        planned = SparkOfflineStore.get_historical_features(
            config,
            views,
            feature_refs,
            _read(spark, rows.schema, [entity_rows]),
            registry,
            project,
            full_feature_names,
            filter_by_created_timestamp or config.offline_store.filter_by_created_timestamp,
        )
        job = _Job(spark, planned.query, full_feature_names, config, planned.on_demand_feature_views, planned.metadata)
        tables = [view.batch_source.table for view in views]
        weakref.finalize(job, _clean_up, spark, entity_rows, tables).atexit = False  # the session ends earlier
        return job


class _Job(SparkRetrievalJob):  # type: ignore[misc]  # feast has no types
    """Spark's result as Arrow. Feast's job converts through pandas, where a null turns 64-bit ids into floats."""

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:  # noqa: ARG002  feast's signature
        return self.to_spark_df().toArrow()


def spark_session(store: SparkLakeOfflineStoreConfig) -> SparkSession:
    """The session on the store's master; an existing session of this process is reused."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    local = store.spark_master.startswith("local")
    if local:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    settings = _UNLESS_GIVEN | (_ON_THIS_MACHINE if local else {}) | (store.spark_conf or {}) | _ALWAYS
    builder = SparkSession.builder.appName("photofeed").master(store.spark_master)
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def _on_spark(spark: SparkSession, config: RepoConfig, view: FeatureView, hours: Hours, table: str) -> FeatureView:
    """The view with its history as a table of the session."""
    lake, source = lake_of(config), view.batch_source
    folder = LakeFolder.from_uri(source.path)
    schema = lake.mirror_schema(folder)
    history = _read(spark, pq.read_schema(schema), [schema, *lake.mirror(folder, hours)])
    # for equally new rows, Feast's query would return an entity row several times
    moments = [name for name in (source.timestamp_field, source.created_timestamp_column) if name]
    history.dropDuplicates([*view.join_keys, *moments]).createOrReplaceTempView(table)
    on_spark = copy(view)
    on_spark.batch_source = SparkSource(
        name=source.name,
        table=table,
        timestamp_field=source.timestamp_field,
        created_timestamp_column=source.created_timestamp_column,
        field_mapping=source.field_mapping,
    )
    return on_spark


def _read(spark: SparkSession, schema: pa.Schema, files: list[Path]) -> DataFrame:
    """Read parts with their declared columns, which spares Spark a job to infer them."""
    return spark.read.schema(from_arrow_schema(schema)).parquet(*(str(file) for file in files))


def _clean_up(spark: SparkSession, entity_rows: Path, tables: list[str]) -> None:
    for table in tables:
        spark.catalog.dropTempView(table)
    entity_rows.unlink(missing_ok=True)
