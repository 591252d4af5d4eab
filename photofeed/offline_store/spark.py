"""The lake's joins on a Spark cluster, for training sets that have outgrown one machine.

Definitions, parts and answers are those of LakeOfflineStore; only who joins differs. Spark's workers read the mirrored
parts, so `cache_dir` has to be a folder that the driver and all workers share.
"""

import os
import sys
import weakref
from copy import copy
from pathlib import Path

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

from photofeed.ids import uuid7
from photofeed.offline_store.lake import LakeFolder
from photofeed.offline_store.parts import Hours
from photofeed.offline_store.store import LakeOfflineStore, LakeOfflineStoreConfig, hours_before, lake_of

# What answers depend on: moments are UTC, and whole numbers stay whole.
_ALWAYS = {"spark.sql.session.timeZone": "UTC", "spark.sql.execution.arrow.pyspark.enabled": "true"}
_UNLESS_GIVEN = {
    "spark.sql.shuffle.partitions": "8",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}
_ON_THIS_MACHINE = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


class SparkLakeOfflineStoreConfig(SparkOfflineStoreConfig, LakeOfflineStoreConfig):  # type: ignore[misc]  # no types
    """What feature_store.yaml says of the store; `spark_conf` is for whatever else a cluster needs."""

    type: StrictStr = "photofeed.offline_store.SparkLakeOfflineStore"
    spark_master: StrictStr
    """As Spark spells it: `spark://host:7077`, `yarn`, `local-cluster[2,1,2048]`."""


class SparkLakeOfflineStore(LakeOfflineStore):
    """LakeOfflineStore, but that point-in-time joins are Spark's; rows are written as before."""

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        filter_by_created_timestamp: bool = False,
    ) -> RetrievalJob:
        """Point-in-time join: for each entity row what was known of it at its time; rows without history are kept."""
        spark, asked_for = spark_session(config.offline_store), uuid7().replace("-", "")
        hours = hours_before(entity_df, feature_views)
        views = [_on_spark(spark, config, view, hours, f"{view.name}_{asked_for}") for view in feature_views]
        # as a file: a frame of a few 100,000 rows takes more of the driver's memory than all else
        entity_rows = config.offline_store.cache_dir / "entity-rows" / f"{asked_for}.parquet"
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
        weakref.finalize(job, _forget, spark, entity_rows, tables).atexit = False  # the session is gone before
        return job


class _Job(SparkRetrievalJob):  # type: ignore[misc]  # feast has no types
    """Feast's job goes by way of pandas, where a missing value makes floats of a column of 64-bit ids."""

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:  # noqa: ARG002  feast's signature
        return self.to_spark_df().toArrow()


def spark_session(store: SparkLakeOfflineStoreConfig) -> SparkSession:
    """The session on the store's master: this process' own, if it has one."""
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
    # Feast's query answers an entity row once for each of several rows that stand equally new
    moments = [name for name in (source.timestamp_field, source.created_timestamp_column) if name]
    history.dropDuplicates([*view.join_keys, *moments]).createOrReplaceTempView(table)
    there = copy(view)
    there.batch_source = SparkSource(
        name=source.name,
        table=table,
        timestamp_field=source.timestamp_field,
        created_timestamp_column=source.created_timestamp_column,
        field_mapping=source.field_mapping,
    )
    return there


def _read(spark: SparkSession, schema: pa.Schema, files: list[Path]) -> DataFrame:
    """Parts with the columns that are declared: to find out which there are would be a job of its own."""
    return spark.read.schema(from_arrow_schema(schema)).parquet(*(str(file) for file in files))


def _forget(spark: SparkSession, entity_rows: Path, tables: list[str]) -> None:
    for table in tables:
        spark.catalog.dropTempView(table)
    entity_rows.unlink(missing_ok=True)
