"""The features that impressions were ranked by, as the served log has them: a stream into one matrix."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from photofeed.features.ranking import FEATURE_NAMES

ROWS_AT_ONCE = 20_000
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Served:
    """What the log tells of impressions. All arrays have as many rows as these.

    `ranked_us` is the moment of ranking, 0 where the log does not know the impression. `matrix`, (rows, features), has
    the features in today's order; NaN where the log lacks any of them, of which `complete` tells.
    """

    ranked_us: NDArray[np.int64]
    matrix: NDArray[np.float32]
    complete: NDArray[np.bool_]

    @classmethod
    def nothing(cls, rows: int) -> Self:
        """Of impressions that the log does not know."""
        matrix = np.full((rows, len(FEATURE_NAMES)), np.nan, dtype=np.float32)
        return cls(np.zeros(rows, np.int64), matrix, np.zeros(rows, np.bool_))


def read_served(
    connection: Any, parts: Sequence[Path], slates: NDArray[np.int32], post_ids: NDArray[np.int64], *, features: bool
) -> Served:
    """What the served log tells of the impressions of `slates`, (rows,), and `post_ids`, (rows,).

    A post that was served more than once in a slate counts as it was first. The features are read only if asked for.

    Args:
        connection: to DuckDB, with a table `slates` of the numbers that slates have.
        parts: Parquet parts of the log; those of old releases may lack columns.
        slates: numbers of the impressions' slates.
        post_ids: the impressions' posts.
        features: whether to read them.
    """
    served = Served.nothing(len(slates))
    if not parts:
        return served
    pages = connection.read_parquet([str(part) for part in parts], hive_partitioning=False, union_by_name=True)
    connection.register("no_pages", _COLUMNS.empty_table())
    connection.register("pages", pages)
    names, values = (_NAMES, "features") if features else ("null", "null")
    places, first_us = _Places(slates, post_ids), np.full(len(slates), NEVER)
    found = connection.sql(_QUERY.format(names=names, values=values))
    for batch in found.to_arrow_reader(ROWS_AT_ONCE):
        rows = places.of(batch["slate"].to_numpy(), batch["post_id"].to_numpy())
        served_us = batch["served_us"].to_numpy()
        # the latest first, so that of several the first is what stays
        order = np.argsort(-served_us, kind="stable")
        order = order[(rows[order] >= 0) & (served_us[order] < first_us[rows[order]])]
        at = rows[order]
        first_us[at] = served_us[order]
        served.ranked_us[at] = batch["ranked_us"].to_numpy()[order]
        if features:
            served.matrix[at], served.complete[at] = _in_todays_order(batch.take(pa.array(order)))
    return served


def _in_todays_order(batch: pa.RecordBatch) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The features of a batch, and which rows have all of today's; those that were served besides are left out."""
    names, features = batch["feature_names"], batch["features"]
    matrix = np.full((len(names), len(FEATURE_NAMES)), np.nan, dtype=np.float32)
    complete = np.zeros(len(names), np.bool_)
    for order in names.unique().drop_null().to_pylist():
        served = order.split(",")
        if set(served) >= set(FEATURE_NAMES):
            rows = pc.equal(names, order).fill_null(False).to_numpy(zero_copy_only=False)
            values = features.filter(pa.array(rows)).flatten().fill_null(np.nan).to_numpy(zero_copy_only=False)
            matrix[rows] = values.reshape(-1, len(served))[:, [served.index(name) for name in FEATURE_NAMES]]
            complete |= rows
    return matrix, complete


class _Places:
    """Finds the row of a post in a slate by binary search."""

    def __init__(self, slates: NDArray[np.int32], post_ids: NDArray[np.int64]) -> None:
        self._posts = np.unique(post_ids)
        keys = self._keys(slates, np.searchsorted(self._posts, post_ids))
        self._rows = np.argsort(keys)
        self._keys_in_order = keys[self._rows]

    def of(self, slates: NDArray[np.int32], post_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each, -1 where there is none."""
        posts = np.minimum(np.searchsorted(self._posts, post_ids), len(self._posts) - 1)
        keys = self._keys(slates, posts)
        places = np.minimum(np.searchsorted(self._keys_in_order, keys), len(self._rows) - 1)
        known = (self._posts[posts] == post_ids) & (self._keys_in_order[places] == keys)
        return np.where(known, self._rows[places], -1)

    def _keys(self, slates: NDArray[np.int32], posts: NDArray[np.int64]) -> NDArray[np.int64]:
        return slates * np.int64(len(self._posts)) + posts


_COLUMNS = pa.schema(
    [
        *[("slate_id", pa.string()), ("user_id", pa.int64()), ("post_id", pa.int64())],
        *[(moment, pa.timestamp("us", tz="UTC")) for moment in ("served_at", "ranked_at")],
        *[("feature_names", pa.list_(pa.string())), ("features", pa.list_(pa.float32()))],
    ]
)

_NAMES = "case when len(features) = len(feature_names) then array_to_string(feature_names, ',') end"

_QUERY = """
select slate, post_id, epoch_us(served_at) as served_us, epoch_us(ranked_at) as ranked_us,
    {names} as feature_names, {values} as features
from (select * from no_pages union all by name select * from pages) join slates using (slate_id, user_id)
where ranked_at is not null
"""
