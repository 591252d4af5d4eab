"""A feature program: the ranking features of one model, compiled to compute its input.

Serving calls `matrix` with rows of the online store, training with rows of a point-in-time join. Both pass the same
columns and get the same numbers.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from photofeed.errors import InvalidError, PermanentError
from photofeed.features.declarations import Function, RankingFeature
from photofeed.features.evaluation import Evaluation
from photofeed.features.functions import FUNCTIONS
from photofeed.features.manifest import FeatureManifest
from photofeed.features.stored import FeatureSource


class UnknownFeatureError(PermanentError):
    """A feature, or a function that a feature refers to, that this release does not have."""

    code = "unknown_feature"


class FeatureProgram:
    """The features of a model in order, ready to compute.

    Attributes:
        features: the declarations.
        names: their names, which are the columns of the matrix.
        reads: the stored columns `view__field` that they take, without the times of counters.
        caps: (features,) float32, the largest value of each feature; infinity without a cap.
        hash: equal for programs that compute the same columns.

    Raises:
        InvalidError: no features, or two of one name.
        UnknownFeatureError: a feature refers to a function that this release lacks; the message names it.
    """

    def __init__(self, features: Iterable[RankingFeature]) -> None:
        self.features = tuple(features)
        self.names = tuple(feature.name for feature in self.features)
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice or not self.names:
            raise InvalidError(f"two features are named {', '.join(twice)}" if twice else "a program needs features")
        functions = (feature.of for feature in self.features if isinstance(feature.of, Function))
        lacking = sorted(
            {f"{of.name} version {of.version}" for of in functions if (of.name, of.version) not in FUNCTIONS}
        )
        if lacking:
            raise UnknownFeatureError(f"this release has no function {', '.join(lacking)}")
        self._evaluation = Evaluation(self.features)
        self.reads = tuple(dict.fromkeys(name for feature in self.features for name in _reads(feature)))
        self.caps: NDArray[np.float32] = np.array([feature.cap for feature in self.features], np.float32)
        of = orjson.dumps([(plain["name"], plain["of"]) for plain in self.to_plain()], option=orjson.OPT_SORT_KEYS)
        self.hash = hashlib.blake2b(of, digest_size=8).hexdigest()

    def __len__(self) -> int:
        return len(self.features)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FeatureProgram) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the feature views that it reads."""
        return tuple(dict.fromkeys(name.partition("__")[0] for name in self.reads))

    def matrix(self, stored: FeatureSource, rows: int) -> NDArray[np.float32]:
        """The model's input: float32, C-contiguous, (rows, features), columns in the order of `names`.

        Raises:
            KeyError: a stored column is missing.
        """
        matrix = np.empty((rows, len(self.features)), dtype=np.float32)
        self._evaluation.write(stored, matrix)
        return matrix

    def select(self, names: Sequence[str]) -> "FeatureProgram":
        """The program of these features, in this order.

        Raises:
            UnknownFeatureError: it lacks one of them.
        """
        by_name = {feature.name: feature for feature in self.features}
        unknown = [name for name in names if name not in by_name]
        if unknown:
            raise UnknownFeatureError(f"no feature of the program is named {', '.join(unknown)}")
        return FeatureProgram([by_name[name] for name in names])

    def followed_by(self, other: "FeatureProgram") -> "FeatureProgram":
        """The features of this program, then those of `other` that it lacks.

        Raises:
            InvalidError: a name has two meanings.
        """
        by_name = {feature.name: feature for feature in self.features}
        apart = [one.name for one in other.features if one.name in by_name and by_name[one.name].of != one.of]
        if apart:
            raise InvalidError(f"two meanings of {', '.join(apart)}: a feature of another meaning needs another name")
        more = [one for one in other.features if one.name not in by_name]
        return FeatureProgram([*self.features, *more]) if more else self

    def require_stored(self, manifest: FeatureManifest) -> None:
        """Check that a manifest has every stored feature that the program reads.

        Raises:
            InvalidError: it lacks one, which the message names with the feature that reads it.
        """
        there = {f"{view.name}__{field.name}" for view in manifest.views for field in view.schema.fixed_fields}
        for feature in self.features:
            lacking = [name.replace("__", ":", 1) for name in _reads(feature) if name not in there]
            if lacking:
                raise InvalidError(
                    f"the applied {manifest.service} lacks {', '.join(lacking)}, which {feature.name} is computed "
                    "from: run `photofeed setup`",
                    code="stale_features",
                )

    def to_plain(self) -> list[dict[str, Any]]:
        """The declarations as types that JSON has."""
        return [feature.to_plain() for feature in self.features]


def _reads(feature: RankingFeature) -> tuple[str, ...]:
    of = feature.of
    if isinstance(of, Function):
        return tuple(dict.fromkeys(name for ratio in FUNCTIONS[of.name, of.version].ratios for name in ratio.terms))
    return of.terms
