"""The retrieval job that the offline store returns to Feast: a DuckDB query that runs on demand."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.on_demand_feature_view import OnDemandFeatureView

from photofeed.errors import PermanentError
from photofeed.offline_store.columns import quoted


class DuckDBRetrievalJob(RetrievalJob):  # type: ignore[misc]  # feast has no types
    """A query and its connection; Feast computes on-demand views from the result."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        query: str,
        on_demand: Sequence[OnDemandFeatureView] = (),
        full_feature_names: bool = False,
        metadata: RetrievalMetadata | None = None,
    ) -> None:
        self._connection = connection
        self._query = query
        self._on_demand = list(on_demand)
        self._full_feature_names = full_feature_names
        self._metadata = metadata

    def to_sql(self) -> str:
        """The query; its table `entity_rows` has the entity rows."""
        return self._query

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:  # noqa: ARG002  feast's signature
        return self._connection.sql(self._query).to_arrow_table()

    def _to_df_internal(self, timeout: int | None = None) -> Any:
        return self._to_arrow_internal(timeout).to_pandas()

    @property
    def full_feature_names(self) -> bool:
        """Whether feature names are prefixed with their view."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """The views that Feast computes from the result."""
        return self._on_demand

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """The request of a point-in-time join; None for other queries."""
        return self._metadata

    def persist(self, *_: Any, **__: Any) -> None:
        """Saved datasets are not supported.

        Raises:
            PermanentError: always.
        """
        raise PermanentError("the lake does not store saved datasets: write the result of to_arrow() yourself")


def rows_between(
    rows: str, columns: Iterable[str], event_time: str, first: datetime | None, last: datetime | None
) -> str:
    """SQL for the rows of a time range, both ends included; None is open.

    Args:
        rows: a table in SQL, or a function call that reads one.
        columns: columns of the result.
        event_time: the column with the event time.
        first: the start.
        last: the end.
    """
    bounds = [
        f"{quoted(event_time)}::timestamptz {sign} '{moment.astimezone(UTC).isoformat()}'"
        for sign, moment in ((">=", first), ("<=", last))
        if moment
    ]
    return f"select {quoted(*columns)} from {rows} where {' and '.join(bounds) or 'true'}"  # noqa: S608


def newest(rows: str, keys: Sequence[str], moments: Sequence[str]) -> str:
    """SQL for the newest row of each entity, by the first of `moments`; the others break ties."""
    partition = f"partition by {quoted(*keys)} " if keys else ""
    order = ", ".join(f"{quoted(moment)} desc nulls last" for moment in moments)
    return f"from ({rows}) qualify row_number() over ({partition}order by {order}) = 1"
