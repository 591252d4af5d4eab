"""A training set: impressions, their labels, and the features that were known when their slate was ranked."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from photofeed.allocator import return_free_memory_now
from photofeed.events import Action
from photofeed.features.ranking import FEATURE_NAMES, StoredFeatures, ranking_matrix
from photofeed.features.ratios import MICROSECONDS
from training.errors import EmptyWindowError, OneClassError
from training.impressions import Impressions, read_impressions
from training.labels import grades
from training.matrix_on_disk import let_go, pieces
from training.point_in_time import EntityRows, pieces_known_at
from training.sources import Sources
from training.window import Window

# The join's answer is wider than the matrix: it is made and thrown away in pieces of this many rows.
JOIN_ROWS = 50_000

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Impressions grouped by slate, slates in the order of time.

    Attributes:
        matrix: (rows, features) float32, C-contiguous; an array like any other, that `build` keeps on disk.
        labels: (rows,) int32, grades of training.labels.
        group_sizes: (slates,) int32, how many rows each slate has; they add up to the rows.
        positions: (rows,) int32, the place in the slate.
        user_ids, post_ids, creator_ids: (rows,) int64.
        slate_start_us: (slates,) int64, microseconds since 1970.
        feature_names: the matrix' columns.
        window: the stretch of time it was made from.
        outcomes: action -> (rows,), whether it was done in the slate; what the labels were made of.
    """

    matrix: NDArray[np.float32]
    labels: NDArray[np.int32]
    group_sizes: NDArray[np.int32]
    positions: NDArray[np.int32]
    user_ids: NDArray[np.int64]
    post_ids: NDArray[np.int64]
    creator_ids: NDArray[np.int64]
    slate_start_us: NDArray[np.int64]
    feature_names: tuple[str, ...]
    window: Window
    outcomes: Mapping[Action, NDArray[np.bool_]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def slates(self) -> int:
        """How many slates there are."""
        return len(self.group_sizes)

    @property
    def digest(self) -> str:
        """Changes whenever a feature value, a label or a group does."""
        digest = hashlib.blake2b(digest_size=8)
        for piece in pieces(self.matrix):
            digest.update(piece.data)
        digest.update(self.labels.data)
        digest.update(self.group_sizes.data)
        return digest.hexdigest()

    def between(self, first: int, end: int) -> Self:
        """The slates from number `first` to before `end`: views of the same memory."""
        bounds = np.concatenate([[0], np.cumsum(self.group_sizes)])
        rows, slates = slice(int(bounds[first]), int(bounds[end])), slice(first, end)
        by_row: dict[str, Any] = {name: getattr(self, name)[rows] for name in _BY_ROW}
        by_slate: dict[str, Any] = {name: getattr(self, name)[slates] for name in _BY_SLATE}
        outcomes = {action: done[rows] for action, done in self.outcomes.items()}
        return replace(self, **by_row, **by_slate, outcomes=outcomes)

    def followed_by(self, later: Self) -> Self:
        """The slates of this dataset and then those of `later`; the columns and the window are this one's.

        Neighbouring parts of one dataset share its memory; anything else is copied.
        """
        joined: dict[str, Any] = {
            name: _joined(getattr(self, name), getattr(later, name)) for name in _BY_ROW + _BY_SLATE
        }
        outcomes = {action: _joined(done, later.outcomes[action]) for action, done in self.outcomes.items()}
        return replace(self, **joined, outcomes=outcomes)


def _joined(first: NDArray[Any], later: NDArray[Any]) -> NDArray[Any]:
    of_one = first.base is not None and first.base is later.base and first.dtype == later.dtype
    alike = first.flags.c_contiguous and later.flags.c_contiguous and first.shape[1:] == later.shape[1:]
    if of_one and alike and first.ctypes.data + first.nbytes == later.ctypes.data:
        return np.lib.stride_tricks.as_strided(first, (len(first) + len(later), *first.shape[1:]))
    return np.concatenate([first, later])


_BY_ROW = ("matrix", "labels", "positions", "user_ids", "post_ids", "creator_ids")
_BY_SLATE = ("group_sizes", "slate_start_us")


class Origin(StrEnum):
    """Where the features of a training set come from."""

    SERVED = "served"  # the served log, the very numbers that the model saw; impressions that it lacks are left out
    JOINED = "joined"  # Feast's point-in-time join
    EITHER = "either"  # row by row as served, and joined where it was not: before the log, by another release, imported


def build(
    sources: Sources, window: Window, progress: Progress | None = None, origin: Origin = Origin.EITHER
) -> Dataset:
    """The dataset of the slates that started in `window`; whatever the origin, columns and types are the same.

    `progress` is told how many of the rows that are joined have their features, and of how many.

    Raises:
        EmptyWindowError: no slate started in the window, or with SERVED none was served with today's features.
        OneClassError: all labels are the same.
        FeaturesError: the feature store's answer is not what the manifest declares.
        RetryableError: object storage cannot be reached.
    """
    shown = impressions(sources, window, origin)
    labels = grades(shown.outcomes)
    if (labels == labels[0]).all():
        raise OneClassError(f"all {len(labels)} impressions from {window} have the label {labels[0]}: nothing to learn")
    first_rows = np.flatnonzero(np.diff(shown.slates, prepend=-1))
    matrix = shown.served
    if not shown.complete.all():
        join_features(sources, shown, np.flatnonzero(~shown.complete), matrix, progress=progress)
    return_free_memory_now()  # else what reading and joining have freed lies beside what training needs
    return Dataset(
        matrix=matrix,
        labels=labels,
        group_sizes=np.diff(first_rows, append=len(labels)).astype(np.int32),
        positions=shown.positions,
        user_ids=shown.user_ids,
        post_ids=shown.post_ids,
        creator_ids=shown.creator_ids,
        slate_start_us=shown.slate_start_us[shown.slates[first_rows]],
        feature_names=FEATURE_NAMES,
        window=window,
        outcomes=shown.outcomes,
    )


def impressions(sources: Sources, window: Window, origin: Origin) -> Impressions:
    """The impressions of the slates that started in `window`, with features as served unless they are to be JOINED.

    Raises:
        EmptyWindowError: there are none; with SERVED, none with features as served.
        RetryableError: object storage cannot be reached.
    """
    shown = read_impressions(sources.logs, window, with_features=origin is not Origin.JOINED)
    if origin is not Origin.SERVED:
        return shown
    if not shown.complete.any():
        raise EmptyWindowError(f"none of {len(shown)} impressions from {window} was served with all features of today")
    return shown.take(shown.complete)


def joined_matrix(sources: Sources, shown: Impressions, *, offset_us: int = 0) -> NDArray[np.float32]:
    """The ranking features of all impressions, (rows, features), by Feast's join; see `join_features`."""
    matrix = sources.logs.matrix(len(shown))
    join_features(sources, shown, np.arange(len(shown)), matrix, offset_us=offset_us)
    return matrix


def join_features(
    sources: Sources,
    shown: Impressions,
    rows: NDArray[np.int64],
    matrix: NDArray[np.float32],
    *,
    offset_us: int = 0,
    progress: Progress | None = None,
) -> None:
    """Fill these rows of the matrix, (all rows, features), by Feast's join.

    The features are those of the moment of ranking, of what was known then or, with `offset_us`, so much later.
    """
    # by people: most of all history is about people with creators and topics, and each is read for one piece only
    rows = rows[np.argsort(shown.user_ids[rows], kind="stable")]
    for first in range(0, len(rows), JOIN_ROWS):
        some = rows[first : first + JOIN_ROWS]
        entities = EntityRows(
            user_ids=shown.user_ids[some],
            post_ids=shown.post_ids[some],
            creator_ids=shown.creator_ids[some],
            topic_ids=shown.topic_ids[some],
            known_us=shown.known_us[some] + offset_us,
        )
        for piece, columns in pieces_known_at(sources.features, sources.manifest, entities):
            at = some[piece]
            stored = StoredFeatures(columns, sources.manifest, now=shown.known_us[at] / MICROSECONDS)
            matrix[at] = ranking_matrix(stored, len(at))
            let_go(matrix)
        if progress is not None:
            progress(first + len(some), len(rows))
