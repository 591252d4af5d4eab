"""The contract of a registered model, stored as JSON beside its files."""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from photofeed.errors import InvalidError, PermanentError
from photofeed.features.declarations import RankingFeature
from photofeed.features.manifest import FeatureManifest
from photofeed.features.profile import FeatureProfile
from photofeed.features.program import FeatureProgram
from photofeed.features.ranking import program_named
from photofeed.models import version_scores

LIGHTGBM, ONNX = "lightgbm", version_scores.ONNX


class DamagedModelError(PermanentError):
    """The files of a registered model are not those that were registered."""

    code = "model_damaged"


@dataclass(frozen=True, slots=True)
class ScoredSamples:
    """Rows and their scores by `Booster.predict(raw_score=True)`, for servers to check a scorer without LightGBM.

    `rows` (n, features) float32 and `scores` (n,) float64 are bytes, because JSON has neither NaN nor infinities.
    """

    rows: bytes
    scores: bytes

    @classmethod
    def of(cls, rows: NDArray[np.float32], scores: NDArray[np.float64]) -> "ScoredSamples":
        """Samples from arrays."""
        return cls(np.ascontiguousarray(rows, "<f4").tobytes(), np.ascontiguousarray(scores, "<f8").tobytes())

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """The rows and their scores."""
        scores = np.frombuffer(self.scores, "<f8")
        return np.frombuffer(self.rows, "<f4").reshape(len(scores), -1), scores

    def to_plain(self) -> dict[str, str]:
        """The samples as types that JSON has."""
        return {name: base64.b64encode(getattr(self, name)).decode() for name in self.__slots__}

    @classmethod
    def from_plain(cls, plain: dict[str, str]) -> "ScoredSamples":
        """The samples that `to_plain` returned."""
        return cls(**{name: base64.b64decode(plain[name], validate=True) for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class ModelContract:
    """What training states about a model.

    Attributes:
        model_name: the registered model.
        run_id: the MLflow run that made it.
        feature_names: the columns of the input matrix, in order.
        features: their declarations, in the same order.
        engine: the kind of the model: LIGHTGBM or ONNX. Contracts of release 0.1 are of LightGBM.
        outputs: of a model with several outputs, (name, weights of its columns) of those that the score is the sum of;
            empty for LightGBM models with one score a row.
        manifest: the stored features that the matrix is computed from, with layout, defaults and half-lives.
        trained_from, trained_until: the window of the dataset.
        git_commit: commit of the training code; empty if it did not run from a repository.
        model_sha256, tables_sha256: hex digests of the model text and of the scoring tables; None if it has no tables.
        unseen_from: start of the first slate that the model was not trained on.
        samples: rows and their exact scores.
        profile: distribution and ranges of the features in training.

    The last four are None in contracts that are older than these attributes.
    """

    model_name: str
    run_id: str
    feature_names: tuple[str, ...]
    manifest: FeatureManifest
    trained_from: datetime
    trained_until: datetime
    git_commit: str
    model_sha256: str
    tables_sha256: str | None = None
    unseen_from: datetime | None = None
    samples: ScoredSamples | None = None
    profile: FeatureProfile | None = None
    features: tuple[RankingFeature, ...] | None = None
    engine: str = LIGHTGBM
    outputs: tuple[tuple[str, tuple[float, ...]], ...] = ()

    @property
    def program(self) -> FeatureProgram:
        """The features of the model, compiled. A contract without declarations names features of RANKING_FEATURES.

        Raises:
            UnknownFeatureError: this release lacks a function, or a feature that is only named.
            InvalidError: names and declarations differ.
        """
        if self.features is None:
            return program_named(self.feature_names)
        program = FeatureProgram(self.features)
        if program.names != self.feature_names:
            raise InvalidError("the declarations of the features do not have the names of the columns")
        return program

    @property
    def feature_service(self) -> str:
        """The FeatureService that the model was trained on."""
        return self.manifest.service

    def to_json(self) -> bytes:
        """The contract as JSON."""
        plain = {field: getattr(self, field) for field in self.__slots__}
        plain |= {
            "manifest": orjson.Fragment(self.manifest.to_json()),
            "samples": self.samples and self.samples.to_plain(),
            "profile": self.profile and self.profile.to_plain(),
            "features": self.features and [feature.to_plain() for feature in self.features],
        }
        return orjson.dumps(plain, option=orjson.OPT_INDENT_2)

    @staticmethod
    def from_json(data: bytes) -> "ModelContract":
        """The contract that `to_json` returned.

        Raises:
            DamagedModelError: the bytes are not a contract.
        """
        try:
            plain: dict[str, Any] = dict(orjson.loads(data))
            known = {name: plain[name] for name in ModelContract.__slots__ if name in plain}
            unseen_from, samples, profile = (plain.get(name) for name in ("unseen_from", "samples", "profile"))
            features = plain.get("features")
            return ModelContract(
                **known
                | {
                    "feature_names": tuple(plain["feature_names"]),
                    "manifest": FeatureManifest.from_json(orjson.dumps(plain["manifest"])),
                    "trained_from": datetime.fromisoformat(plain["trained_from"]),
                    "trained_until": datetime.fromisoformat(plain["trained_until"]),
                    "unseen_from": datetime.fromisoformat(unseen_from) if unseen_from else None,
                    "samples": ScoredSamples.from_plain(samples) if samples else None,
                    "profile": FeatureProfile.from_plain(profile) if profile else None,
                    "features": tuple(map(RankingFeature.from_plain, features)) if features else None,
                    "outputs": tuple((name, tuple(weights)) for name, weights in plain.get("outputs", ())),
                }
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise DamagedModelError(f"not a model contract: {error!r}") from error
