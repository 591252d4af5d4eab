"""Features of candidates: one round trip to the online store for all models of a request, then each model's program."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Gauge

from photofeed.arrays import FloatArray
from photofeed.features.manifest import FeatureManifest
from photofeed.features.popularity import POPULARITY_FEATURES
from photofeed.features.program import FeatureProgram
from photofeed.features.ranking import PROGRAM
from photofeed.features.stored import StoredFeatures
from photofeed.online_store.columns import RowColumns
from photofeed.online_store.reader import FetchedRows, PackedReader, PackedView
from photofeed.online_store.schema import RowSchema
from serving.feed.candidates import Candidates
from serving.feed.query import FeedQuery

REASON_FEATURES = ("pair_like_rate", "topic_engagement_rate", "post_likes_24h")
BASICS = (*POPULARITY_FEATURES, *REASON_FEATURES)
"""What is read whatever models there are: the ranker `popularity` and the reasons of replies take it."""

DEFAULTED = Gauge(
    "photofeed_model_defaulted_values",
    "Stored values of a recent feed that a model got as declared defaults, because no row or no field is there",
    ["version", "view"],
    multiprocess_mode="livemax",
)
OBSERVED_SECONDS = 1.0
_SHARED_KEYS = ("post_id", "creator_id")

Given = Mapping[str, NDArray[np.float32]]
"""Values of features that a request states."""
NOTHING_GIVEN: Given = {}

_DECLARED = {feature.name: feature.of for feature in PROGRAM.features}


@dataclass(frozen=True, slots=True)
class FeatureMatrix:
    """A model's input: one row per candidate, float32, with the names of the columns."""

    values: NDArray[np.float32]
    names: tuple[str, ...]

    def column(self, name: str) -> NDArray[np.float32]:
        """One feature of all candidates."""
        column: NDArray[np.float32] = self.values[:, self.names.index(name)]
        return column


class ModelInputs:
    """A feature program on the stored features of a manifest. Make it by `FeatureReader.inputs`.

    Attributes:
        views: the views that the program reads.
        standard: features that mean what RANKING_FEATURES mean by their names -> their columns.
    """

    def __init__(self, program: FeatureProgram, manifest: FeatureManifest, reader: PackedReader) -> None:
        self.program, self.manifest = program, manifest
        read = set(program.views)
        self.views = [reader.view(view.schema) for view in manifest.views if view.name in read]
        named = enumerate(program.features)
        self.standard = {one.name: at for at, one in named if _DECLARED.get(one.name) == one.of}
        self._columns: dict[tuple[str, ...], list[tuple[PackedView, RowColumns]]] = {}

    def columns(self, names: tuple[str, ...]) -> list[tuple[PackedView, RowColumns]]:
        """What writes the columns `view__field` of these names, view by view.

        Raises:
            KeyError: the manifest lacks one of them.
        """
        found = self._columns.get(names)
        if found is None:
            found = [(view, _columns_of(view.schema, names)) for view in self.views]
            written = {name for view in self.views for name in _fields(view.schema)}
            if lacking := set(names) - written:
                raise KeyError(*sorted(lacking))
            self._columns[names] = found
        return found

    def defaulted(self, fetched: FetchedRows) -> dict[str, int]:
        """View -> how many of the values that the program reads are defaults."""
        fields, counts = set(self.program.reads), {}
        for view in self.views:
            is_read = [f"{view.schema.view}__{field.name}" in fields for field in view.schema.fields]
            counts[view.schema.view] = int(fetched.rows(view).defaulted[is_read].sum())
        return counts


@dataclass(frozen=True, slots=True)
class FetchedFeatures:
    """Stored features of fetched rows at a moment, as `FeatureProgram.matrix` takes them."""

    fetched: FetchedRows
    inputs: ModelInputs
    now: float

    @property
    def manifest(self) -> FeatureManifest:
        """See FeatureSource."""
        return self.inputs.manifest

    def write(self, names: tuple[str, ...], output: FloatArray) -> None:
        """See FeatureSource."""
        for view, columns in self.inputs.columns(names):
            self.fetched.write(view, columns, output)


class RequestFeatures:
    """What was read for the candidates of one request. Inputs of models are computed when they are first asked for."""

    def __init__(
        self,
        fetched: FetchedRows,
        first: ModelInputs,
        basics: Mapping[str, ModelInputs],
        seconds: float,
        count: int,
        given: Given = NOTHING_GIVEN,
    ) -> None:
        self._fetched, self._first, self._basics = fetched, first, basics
        self._seconds, self._count, self._given = seconds, count, given
        self._matrices: dict[ModelInputs, FeatureMatrix] = {}

    def matrix(self, inputs: ModelInputs | None = None) -> FeatureMatrix:
        """The input of a model that was read for; without one, of the ranker that was asked for."""
        inputs = inputs or self._first
        matrix = self._matrices.get(inputs)
        if matrix is None:
            program = inputs.program
            values = program.matrix(FetchedFeatures(self._fetched, inputs, self._seconds), self._count)
            for name in self._given.keys() & set(program.names) if self._given else ():
                column, at = self._given[name], program.names.index(name)
                np.copyto(values[:, at], np.minimum(column, program.caps[at]), where=~np.isnan(column))
            matrix = self._matrices[inputs] = FeatureMatrix(values, program.names)
        return matrix

    def column(self, name: str) -> NDArray[np.float32]:
        """One of BASICS of all candidates, out of a model's input if it has the feature."""
        for inputs, matrix in self._matrices.items():
            if (at := inputs.standard.get(name)) is not None:
                column: NDArray[np.float32] = matrix.values[:, at]
                return column
        return self.matrix(self._basics[name]).column(name)

    def defaulted(self, inputs: ModelInputs) -> dict[str, int]:
        """View -> how many of the values that a model reads are declared defaults."""
        return inputs.defaulted(self._fetched)


class FeatureReader:
    """Reads the features of requests.

    Args:
        manifest: of the served FeatureService, for requests that no model ranks.
        reader: of the online store, with an `async_client`.
    """

    def __init__(self, manifest: FeatureManifest, reader: PackedReader) -> None:
        self._reader = reader
        self.default = self.inputs(PROGRAM, manifest)
        self.basics = {name: self.inputs(PROGRAM.select([name]), manifest) for name in BASICS}
        # compiles the loops or loads them from numba's cache, so that no feed waits for it
        PROGRAM.matrix(StoredFeatures(defaultdict(lambda: np.empty(0)), manifest, 0.0), 0)

    def inputs(self, program: FeatureProgram, manifest: FeatureManifest) -> ModelInputs:
        """The inputs of a model of this program, which was trained on this manifest."""
        return ModelInputs(program, manifest, self._reader)

    async def read(
        self,
        query: FeedQuery,
        candidates: Candidates,
        models: Sequence[ModelInputs] = (),
        given: Given = NOTHING_GIVEN,
    ) -> RequestFeatures:
        """Read what these models take of the candidates, best first; without models, what RANKING_FEATURES take.

        Values that are `given` replace what was read: by the name of the feature, (candidates,), NaN where none is.

        Raises:
            redis.RedisError: the online store did not answer in time.
        """
        wanted = [*(models or [self.default]), *self.basics.values()]
        fetched = await self._reader.fetch_async(
            {
                "user_id": np.array([query.user_id], dtype=np.int64),
                "post_id": candidates.post_ids,
                "creator_id": candidates.author_ids,
                "topic_id": candidates.topic_ids,
            },
            [view for inputs in wanted for view in inputs.views],
        )
        return RequestFeatures(fetched, wanted[0], self.basics, query.seconds, len(candidates), given)


class DefaultedValues:
    """Keeps the gauge DEFAULTED: a feed of each version now and then, because counting takes time."""

    def __init__(self) -> None:
        self._observed: dict[str, float] = {}

    def observe(self, version: str, inputs: ModelInputs, features: RequestFeatures) -> None:
        """Set the gauge for a version, unless that was done within OBSERVED_SECONDS."""
        now = time.monotonic()
        if now - self._observed.get(version, -OBSERVED_SECONDS) < OBSERVED_SECONDS:
            return
        self._observed[version] = now
        for view, values in features.defaulted(inputs).items():
            DEFAULTED.labels(version, view).set(values)


def is_shared(schema: RowSchema) -> bool:
    """Whether requests of different people read the same rows of a view: those of posts and of their authors."""
    return [key.name for key in schema.join_keys] in [[name] for name in _SHARED_KEYS]


def _columns_of(schema: RowSchema, names: Sequence[str]) -> RowColumns:
    """What writes the columns of a view that are among `names`, each in its row."""
    fields = _fields(schema)
    taken = [(fields[name], row) for row, name in enumerate(names) if name in fields]
    return RowColumns(schema, [field for field, _ in taken], [row for _, row in taken])


def _fields(schema: RowSchema) -> dict[str, str]:
    """Column `view__field` -> field, of all fields that are read as columns."""
    return {f"{schema.view}__{field.name}": field.name for field in schema.fixed_fields}
