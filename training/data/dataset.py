"""A training set: impressions, labels, and the features that were known when the slate was ranked."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from photofeed.allocator import release_free_memory
from photofeed.errors import InvalidError
from photofeed.events import Action
from photofeed.features.program import FeatureProgram
from photofeed.features.ranking import PROGRAM
from photofeed.features.stored import StoredFeatures
from photofeed.times import MICROSECONDS
from training.data.impressions import Impressions, read_impressions
from training.data.labels import grades
from training.data.matrix_on_disk import pieces, release_pages
from training.data.point_in_time import EntityRows, pieces_known_at
from training.data.sources import Sources
from training.data.window import Window
from training.errors import EmptyWindowError, OneClassError
from training.statistics.metrics import has_contrast

# The result of a join is wider than the matrix. It is made and discarded in pieces of this many rows.
JOIN_ROWS = 50_000

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Impressions grouped by slate, slates ordered by time.

    Attributes:
        matrix: (rows, features) float32, C-contiguous; `build_dataset` keeps it on disk (see matrix_on_disk).
        labels: (rows,) int32, grades of training.data.labels.
        group_sizes: (slates,) int32, the number of rows of each slate; the sum is the number of rows.
        positions: (rows,) int32, the position in the slate, from 0.
        user_ids, post_ids, creator_ids: (rows,) int64.
        slate_start_us: (slates,) int64, microseconds since 1970.
        feature_names: the columns of the matrix.
        window: the time window it was built from.
        outcomes: action -> (rows,), whether it was done in the slate; the labels are made from these.
        program: the declarations of the columns; a column that a notebook added has none.
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
    program: FeatureProgram = field(default=PROGRAM, repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def slates(self) -> int:
        """The number of slates."""
        return len(self.group_sizes)

    @property
    def contrasts(self) -> int:
        """The number of slates with posts of different labels. The others say nothing about an order."""
        slates = np.repeat(np.arange(self.slates), self.group_sizes)
        return int(has_contrast(self.labels, slates, self.slates).sum())

    @property
    def events(self) -> int:
        """The number of posts that stand out in slates with a contrast: rows without the most common label of these."""
        slates = np.repeat(np.arange(self.slates), self.group_sizes)
        telling = has_contrast(self.labels, slates, self.slates)[slates]
        counts = np.unique(self.labels[telling], return_counts=True)[1]
        return int(counts.sum() - counts.max(initial=0))

    @property
    def relevance(self) -> NDArray[np.int32]:
        """The labels, (rows,), with those below 0 as 0: for libraries that take no negative grades."""
        return np.maximum(self.labels, 0)

    @property
    def digest(self) -> str:
        """A hash of the feature values, labels and group sizes."""
        digest = hashlib.blake2b(digest_size=8)
        for piece in pieces(self.matrix):
            digest.update(piece.data)
        digest.update(self.labels.data)
        digest.update(self.group_sizes.data)
        return digest.hexdigest()

    def columns(self, names: Sequence[str]) -> NDArray[np.float32]:
        """A copy of the columns of these features, in this order, (rows, names).

        Raises:
            InvalidError: the dataset lacks one of them.
        """
        unknown = [name for name in names if name not in self.feature_names]
        if unknown:
            raise InvalidError(f"the dataset lacks the features {', '.join(unknown)}")
        return np.ascontiguousarray(self.matrix[:, [self.feature_names.index(name) for name in names]])

    def only(self, names: Sequence[str]) -> Self:
        """The dataset of these features in this order; itself if it has exactly these.

        Raises:
            InvalidError: the dataset lacks one of them.
        """
        if tuple(names) == self.feature_names:
            return self
        return replace(self, matrix=self.columns(names), feature_names=tuple(names))

    def between(self, first: int, end: int) -> Self:
        """The slates with numbers from `first` up to, not including, `end`: views of the same memory."""
        bounds = np.concatenate([[0], np.cumsum(self.group_sizes)])
        rows, slates = slice(int(bounds[first]), int(bounds[end])), slice(first, end)
        by_row: dict[str, Any] = {name: getattr(self, name)[rows] for name in _BY_ROW}
        by_slate: dict[str, Any] = {name: getattr(self, name)[slates] for name in _BY_SLATE}
        outcomes = {action: done[rows] for action, done in self.outcomes.items()}
        return replace(self, **by_row, **by_slate, outcomes=outcomes)

    def followed_by(self, later: Self) -> Self:
        """The slates of this dataset followed by those of `later`. Feature names and window are those of this dataset.

        Adjacent parts of one dataset share its memory. Other parts are copied.
        """
        joined: dict[str, Any] = {
            name: _joined(getattr(self, name), getattr(later, name)) for name in _BY_ROW + _BY_SLATE
        }
        outcomes = {action: _joined(done, later.outcomes[action]) for action, done in self.outcomes.items()}
        return replace(self, **joined, outcomes=outcomes)


def of_one_class(labels: NDArray[np.int32]) -> str:
    """Why nothing can be learned from labels, (rows,), in words; empty if something can."""
    if (labels == labels[0]).all():
        return f"the label is {labels[0]} for all"
    return "" if (labels > 0).any() else "no post was engaged with among all"


def _joined(first: NDArray[Any], later: NDArray[Any]) -> NDArray[Any]:
    of_one = first.base is not None and first.base is later.base and first.dtype == later.dtype
    alike = first.flags.c_contiguous and later.flags.c_contiguous and first.shape[1:] == later.shape[1:]
    if of_one and alike and first.ctypes.data + first.nbytes == later.ctypes.data:
        return np.lib.stride_tricks.as_strided(first, (len(first) + len(later), *first.shape[1:]))
    return np.concatenate([first, later])


_BY_ROW = ("matrix", "labels", "positions", "user_ids", "post_ids", "creator_ids")
_BY_SLATE = ("group_sizes", "slate_start_us")


class Origin(StrEnum):
    """The origin of the features of a training set."""

    SERVED = "served"  # the served log: the values that the model saw. Impressions that it lacks are left out
    JOINED = "joined"  # Feast's point-in-time join
    EITHER = "either"  # as served where the log has all features of the row, otherwise joined


def build_dataset(
    sources: Sources, window: Window, progress: Progress | None = None, origin: Origin = Origin.EITHER
) -> Dataset:
    """Build the dataset of the slates that started in `window`. Columns and types are the same for every origin.

    `progress` is called with the number of joined rows that have their features, and the number of rows to join.

    Raises:
        EmptyWindowError: no slate started in the window, or with SERVED none was served with the current features.
        OneClassError: all labels are equal.
        FeaturesError: the result of the feature store does not match the manifest.
        RetryableError: object storage cannot be reached.
    """
    shown = impressions(sources, window, origin)
    labels = grades(shown.outcomes, shown.skipped)
    if reason := of_one_class(labels):
        raise OneClassError(f"{reason} of {len(labels)} impressions from {window}: nothing to learn")
    first_rows = np.flatnonzero(np.diff(shown.slates, prepend=-1))
    matrix = shown.served
    if not shown.complete.all():
        join_features(sources, shown, np.flatnonzero(~shown.complete), matrix, progress=progress)
    release_free_memory()  # otherwise memory freed by reads and joins stays allocated during the training
    return Dataset(
        matrix=matrix,
        labels=labels,
        group_sizes=np.diff(first_rows, append=len(labels)).astype(np.int32),
        positions=shown.positions,
        user_ids=shown.user_ids,
        post_ids=shown.post_ids,
        creator_ids=shown.creator_ids,
        slate_start_us=shown.slate_start_us[shown.slates[first_rows]],
        feature_names=sources.program.names,
        window=window,
        outcomes=shown.outcomes,
        program=sources.program,
    )


def impressions(sources: Sources, window: Window, origin: Origin) -> Impressions:
    """The impressions of the slates that started in `window`, with features as served unless `origin` is JOINED.

    Raises:
        EmptyWindowError: there are none, or with SERVED none was served with all current features.
        RetryableError: object storage cannot be reached.
    """
    joined = origin is Origin.JOINED
    shown = read_impressions(sources.logs, window, with_features=not joined, program=sources.program)
    if origin is not Origin.SERVED:
        return shown
    if not shown.complete.any():
        raise EmptyWindowError(f"none of {len(shown)} impressions from {window} was served with all current features")
    return shown.take(shown.complete)


def joined_matrix(sources: Sources, shown: Impressions, *, offset_us: int = 0) -> NDArray[np.float32]:
    """The ranking features of all impressions, (rows, features), from Feast's join. See `join_features`."""
    matrix = sources.logs.matrix(len(shown), len(sources.program))
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
    """Fill these rows of the matrix, (all rows, features), from Feast's join.

    The features have the time of the ranking. They use what was known then or, with `offset_us`, that much later.
    """
    # sorted by user: most of the history is about users with creators and topics, and is then read for one piece only
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
            matrix[at] = sources.program.matrix(stored, len(at))
            release_pages(matrix)
        if progress is not None:
            progress(first + len(some), len(rows))
