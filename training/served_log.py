"""The features that impressions were ranked by, as the served log has them: a stream into one matrix."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from photofeed.features.ranking import FEATURE_NAMES
from training.matrix_on_disk import let_go, pieces

ROWS_AT_ONCE = 20_000
FEATURE_COLUMNS = ("feature_names", "features")


@dataclass(frozen=True, slots=True)
class Served:
    """What the log tells of impressions. All arrays have as many rows as these.

    `ranked_us` is the moment of ranking, 0 where the log does not know the impression. `matrix`, (rows, features), has
    the features in today's order; NaN where the log lacks any of them, of which `complete` tells.
    """

    ranked_us: NDArray[np.int64]
    matrix: NDArray[np.float32]
    complete: NDArray[np.bool_]


def read_served(
    parts: Sequence[Path],
    shown: pa.Table,
    slates: NDArray[np.int32],
    post_ids: NDArray[np.int64],
    matrix: NDArray[np.float32],
    *,
    features: bool,
) -> Served:
    """What the served log tells of the impressions of `slates`, (rows,), and `post_ids`, (rows,).

    A post that was ranked more than once in a slate counts as it was first. The features are read only if asked for.

    Args:
        parts: Parquet parts of the log; those of old releases may lack columns.
        shown: `slate_id` and `user_id` of every slate, by its number.
        slates: numbers of the impressions' slates.
        post_ids: the impressions' posts.
        matrix: what is filled, (rows, features); let go after every piece of the log, if it is on disk.
        features: whether to read them.
    """
    for piece in pieces(matrix):
        piece.fill(np.nan)
    served = Served(np.zeros(len(slates), np.int64), matrix, np.zeros(len(slates), np.bool_))
    slate_ids, places = shown["slate_id"].unique(), _Places(slates, post_ids)
    slate_numbers = _Places(_numbers(shown["slate_id"], slate_ids), shown["user_id"].to_numpy())
    for batch in _batches(parts, features=features):
        slate = slate_numbers.of(_numbers(batch["slate_id"], slate_ids), batch["user_id"].to_numpy())
        rows = places.of(slate, batch["post_id"].to_numpy())
        ranked_us: NDArray[np.int64] = batch["ranked_at"].cast(pa.int64()).to_numpy()
        before = served.ranked_us[rows]
        new = np.flatnonzero((rows >= 0) & ((before == 0) | (ranked_us < before)))
        # the latest first, so that of several the first is what stays
        order = new[np.argsort(-ranked_us[new], kind="stable")]
        at = rows[order]
        served.ranked_us[at] = ranked_us[order]
        if features:
            values, complete = _in_todays_order(batch)
            matrix[at], served.complete[at] = values[order], complete[order]
            let_go(matrix)
    return served


def _batches(parts: Sequence[Path], *, features: bool) -> Iterator[pa.RecordBatch]:
    """The rows that were ranked, a piece of a part at a time."""
    wanted = [field for field in _COLUMNS if features or field.name not in FEATURE_COLUMNS]
    for part in parts:
        with pq.ParquetFile(part, read_dictionary=["feature_names.list.element"]) as file:
            there = set(file.schema_arrow.names)
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=[f.name for f in wanted if f.name in there]):
                columns = [
                    batch[field.name].cast(field.type) if field.name in there else pa.nulls(len(batch), field.type)
                    for field in wanted
                ]
                rows = pa.RecordBatch.from_arrays(columns, schema=pa.schema(wanted))
                yield rows.filter(rows["ranked_at"].is_valid())


def _in_todays_order(batch: pa.RecordBatch) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The features of a batch, and which rows have all of today's; those that were served besides are left out."""
    names, features = (batch[name].fill_null([]) for name in FEATURE_COLUMNS)
    matrix = np.full((len(batch), len(FEATURE_NAMES)), np.nan, dtype=np.float32)
    complete = np.zeros(len(batch), np.bool_)
    counts = names.value_lengths().to_numpy()
    alike = counts == features.value_lengths().to_numpy()
    for count in np.unique(counts[alike & (counts >= len(FEATURE_NAMES))]).tolist():
        rows = np.flatnonzero(alike & (counts == count))
        flat = names.take(pa.array(rows)).flatten()
        codes = flat.indices.to_numpy().reshape(-1, count)
        values = features.take(pa.array(rows)).flatten().fill_null(np.nan).to_numpy(zero_copy_only=False)
        values = values.reshape(-1, count)
        left = np.ones(len(rows), np.bool_)
        while left.any():  # once for each order of names, of which there is one as long as one release serves
            order = codes[np.argmax(left)]
            same = left & (codes == order).all(axis=1)
            left &= ~same
            served = flat.dictionary.take(pa.array(order)).to_pylist()
            if set(served) >= set(FEATURE_NAMES):
                matrix[rows[same]] = values[same][:, [served.index(name) for name in FEATURE_NAMES]]
                complete[rows[same]] = True
    return matrix, complete


def _numbers(values: Any, among: pa.Array) -> NDArray[np.int64]:
    """The place of each value among others, -1 for those that are not."""
    numbers: NDArray[np.int64] = pc.index_in(values, value_set=among).fill_null(-1).cast(pa.int64()).to_numpy()
    return numbers


class _Places:
    """Finds the row of two ids, as of a post in a slate, by binary search; the first are small and not negative."""

    def __init__(self, slates: NDArray[Any], post_ids: NDArray[np.int64]) -> None:
        self._posts = np.unique(post_ids)
        keys = self._keys(slates, np.searchsorted(self._posts, post_ids))
        self._rows = np.argsort(keys).astype(np.int32)
        self._keys_in_order = keys[self._rows]

    def of(self, slates: NDArray[Any], post_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each, -1 where there is none."""
        posts = np.minimum(np.searchsorted(self._posts, post_ids), len(self._posts) - 1)
        keys = self._keys(slates, posts)
        places = np.minimum(np.searchsorted(self._keys_in_order, keys), len(self._rows) - 1)
        known = (self._posts[posts] == post_ids) & (self._keys_in_order[places] == keys)
        return np.where(known, self._rows[places], -1)

    def _keys(self, slates: NDArray[Any], posts: NDArray[np.int64]) -> NDArray[np.int64]:
        return slates.astype(np.int64) * len(self._posts) + posts


_COLUMNS = pa.schema(
    [
        *[("slate_id", pa.string()), ("user_id", pa.int64()), ("post_id", pa.int64())],
        ("ranked_at", pa.timestamp("us", tz="UTC")),
        ("feature_names", pa.list_(pa.dictionary(pa.int32(), pa.string()))),
        ("features", pa.list_(pa.float32())),
    ]
)
