"""The features that impressions were ranked with: the served log, streamed into one matrix."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from photofeed.features.program import FeatureProgram
from training.data.matrix_on_disk import pieces, release_pages

ROWS_AT_ONCE = 20_000
FEATURE_COLUMNS = ("feature_names", "features")


@dataclass(frozen=True, slots=True)
class ServedFeatures:
    """What the served log has of impressions.

    Attributes:
        ranked_us: (rows,) the time of the request, microseconds since 1970; 0 where the log lacks the impression.
        matrix: (rows, features) the features in the order of the program; NaN where the log lacks any of them.
        complete: (rows,) whether the log has all features of the row.
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
    program: FeatureProgram | None,
) -> ServedFeatures:
    """What the served log has of the impressions of `slates`, (rows,), and `post_ids`, (rows,).

    If a post was ranked more than once in a slate, the first time counts.

    Args:
        parts: Parquet parts of the log. Parts of old releases may lack columns.
        shown: `slate_id` and `user_id` of every slate, by the number of the slate.
        slates: numbers of the slates of the impressions.
        post_ids: posts of the impressions.
        matrix: filled in place, (rows, features). Its pages are released after every batch if it is on disk.
        program: the features to read; None to read none.
    """
    for piece in pieces(matrix):
        piece.fill(np.nan)
    served = ServedFeatures(np.zeros(len(slates), np.int64), matrix, np.zeros(len(slates), np.bool_))
    slate_ids, impressions = shown["slate_id"].unique(), _RowIndex(slates, post_ids)
    slate_numbers = _RowIndex(_numbers(shown["slate_id"], slate_ids), shown["user_id"].to_numpy())
    for batch in _batches(parts, features=program is not None):
        slate = slate_numbers.find(_numbers(batch["slate_id"], slate_ids), batch["user_id"].to_numpy())
        rows = impressions.find(slate, batch["post_id"].to_numpy())
        ranked_us: NDArray[np.int64] = batch["ranked_at"].cast(pa.int64()).to_numpy()
        before = served.ranked_us[rows]
        new = np.flatnonzero((rows >= 0) & ((before == 0) | (ranked_us < before)))
        # sorted from newest to oldest, so that the oldest of several rows is written last
        order = new[np.argsort(-ranked_us[new], kind="stable")]
        at = rows[order]
        served.ranked_us[at] = ranked_us[order]
        if program is not None:
            values, complete = _in_feature_order(batch, program)
            matrix[at], served.complete[at] = values[order], complete[order]
            release_pages(matrix)
    return served


def _batches(parts: Sequence[Path], *, features: bool) -> Iterator[pa.RecordBatch]:
    """The ranked rows of the log, batch by batch."""
    wanted = [field for field in _COLUMNS if features or field.name not in FEATURE_COLUMNS]
    for part in parts:
        with pq.ParquetFile(part, read_dictionary=["feature_names.list.element"]) as file:
            present = set(file.schema_arrow.names)
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=[f.name for f in wanted if f.name in present]):
                columns = [
                    batch[field.name].cast(field.type) if field.name in present else pa.nulls(len(batch), field.type)
                    for field in wanted
                ]
                rows = pa.RecordBatch.from_arrays(columns, schema=pa.schema(wanted))
                yield rows.filter(rows["ranked_at"].is_valid())


def _in_feature_order(batch: pa.RecordBatch, program: FeatureProgram) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The features of a batch in the order of the program, and which rows have all of them. Others are dropped."""
    names, features = (batch[name].fill_null([]) for name in FEATURE_COLUMNS)
    matrix = np.full((len(batch), len(program)), np.nan, dtype=np.float32)
    complete = np.zeros(len(batch), np.bool_)
    counts = names.value_lengths().to_numpy()
    alike = counts == features.value_lengths().to_numpy()
    for count in np.unique(counts[alike & (counts >= len(program))]).tolist():
        rows = np.flatnonzero(alike & (counts == count))
        flat = names.take(pa.array(rows)).flatten()
        codes = flat.indices.to_numpy().reshape(-1, count)
        values = features.take(pa.array(rows)).flatten().fill_null(np.nan).to_numpy(zero_copy_only=False)
        values = values.reshape(-1, count)
        left = np.ones(len(rows), np.bool_)
        while left.any():  # one iteration per order of names: one as long as all servers run the same release
            order = codes[np.argmax(left)]
            same = left & (codes == order).all(axis=1)
            left &= ~same
            served = flat.dictionary.take(pa.array(order)).to_pylist()
            if set(served) >= set(program.names):
                # pages that were served before a feature had a cap have larger values
                matrix[rows[same]] = np.minimum(
                    values[same][:, [served.index(name) for name in program.names]], program.caps
                )
                complete[rows[same]] = True
    return matrix, complete


def _numbers(values: Any, among: pa.Array) -> NDArray[np.int64]:
    """The index of each value in `among`, or -1."""
    numbers: NDArray[np.int64] = pc.index_in(values, value_set=among).fill_null(-1).cast(pa.int64()).to_numpy()
    return numbers


class _RowIndex:
    """Finds the row of a pair of ids, such as (slate, post), by binary search.

    The first id must be a small number that is not negative, because the pair becomes one integer.
    """

    def __init__(self, slates: NDArray[Any], post_ids: NDArray[np.int64]) -> None:
        self._posts = np.unique(post_ids)
        keys = self._keys(slates, np.searchsorted(self._posts, post_ids))
        self._rows = np.argsort(keys).astype(np.int32)
        self._keys_in_order = keys[self._rows]

    def find(self, slates: NDArray[Any], post_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each pair, or -1."""
        posts = np.minimum(np.searchsorted(self._posts, post_ids), len(self._posts) - 1)
        keys = self._keys(slates, posts)
        found = np.minimum(np.searchsorted(self._keys_in_order, keys), len(self._rows) - 1)
        known = (self._posts[posts] == post_ids) & (self._keys_in_order[found] == keys)
        return np.where(known, self._rows[found], -1)

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
