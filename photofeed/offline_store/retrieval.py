"""What the offline store hands to Feast: a query of DuckDB, that runs when its answer is asked for."""

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
    """A query and the connection that it is about; on-demand views are Feast's to compute."""

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
        """The query, that `asked` stands in for the entity rows of."""
        return self._query

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:  # noqa: ARG002  feast's signature
        return self._connection.sql(self._query).to_arrow_table()

    def _to_df_internal(self, timeout: int | None = None) -> Any:
        return self._to_arrow_internal(timeout).to_pandas()

    @property
    def full_feature_names(self) -> bool:
        """Whether features are named with their views."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """What Feast computes from the answer."""
        return self._on_demand

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """What was asked for; of point-in-time joins."""
        return self._metadata

    def persist(self, *_: Any, **__: Any) -> None:
        """Refuse.

        Raises:
            PermanentError: always.
        """
        raise PermanentError("saved datasets are not kept in the lake: write the job's to_arrow() where you want it")


def rows_between(
    rows: str, columns: Iterable[str], happened: str, first: datetime | None, last: datetime | None
) -> str:
    """SQL for the rows of a time range, both ends included; None is open.

    Args:
        rows: what SQL selects from: a table, or a call that reads one.
        columns: of the answer.
        happened: the column with the time of the event.
        first: the start.
        last: the end.
    """
    bounds = [
        f"{quoted(happened)}::timestamptz {sign} '{moment.astimezone(UTC).isoformat()}'"
        for sign, moment in ((">=", first), ("<=", last))
        if moment
    ]
    return f"select {quoted(*columns)} from {rows} where {' and '.join(bounds) or 'true'}"  # noqa: S608


def newest(rows: str, keys: Sequence[str], moments: Sequence[str]) -> str:
    """SQL for the newest row of each entity, by several times in order of weight."""
    partition = f"partition by {quoted(*keys)} " if keys else ""
    order = ", ".join(f"{quoted(moment)} desc nulls last" for moment in moments)
    return f"from ({rows}) qualify row_number() over ({partition}order by {order}) = 1"
