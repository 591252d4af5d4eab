"""Scorers: from a matrix of features to one raw score per row."""

import threading
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from photofeed.models.scorer.build import build_tables
from photofeed.models.scorer.errors import TablesError, UnsupportedModelError
from photofeed.models.scorer.kernel import Scratch, make_scratch, score_rows
from photofeed.models.scorer.model_text import sha256_of
from photofeed.models.scorer.tables import ScoringTables


class Scorer(Protocol):
    """Raw scores of a LightGBM model, equal to `Booster.predict(matrix, raw_score=True)` to the last bit."""

    @property
    def engine(self) -> str:
        """The engine that computes the scores: "bitsliced", "booster" or "onnx"."""

    @property
    def features(self) -> int:
        """Number of columns of a matrix."""

    def score(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Score a C-contiguous float32 matrix (rows, features); returns float64 (rows,). Threads may call it together.

        NaN is a missing value. Raises ValueError on another type, shape or memory layout.
        """

    def warm_up(self) -> None:
        """Do the one-time work that no request should wait for."""


class BitslicedScorer:
    """Scores by the bit-sliced kernel."""

    engine = "bitsliced"

    def __init__(self, tables: ScoringTables) -> None:
        self.features = tables.features
        self._arrays = tables.arrays
        self._threads = threading.local()

    def score(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Score rows; see Scorer."""
        require_matrix(matrix, self.features)
        # copying a read-only or unaligned array takes microseconds; numba compiling another variant would take seconds
        matrix = np.require(matrix, requirements=["ALIGNED", "WRITEABLE"])
        scores = np.empty(len(matrix), np.float64)
        score_rows(matrix, scores, self._arrays, self._scratch())
        return scores

    def warm_up(self) -> None:
        """Compile the kernel (seconds), or load it from numba's cache (less than half a second)."""
        self.score(np.zeros((1, self.features), np.float32))

    def _scratch(self) -> Scratch:
        """The buffers of this thread: the kernel runs without the GIL, so threads must not share them."""
        scratch: Scratch | None = getattr(self._threads, "scratch", None)
        if scratch is None:
            scratch = self._threads.scratch = make_scratch(self._arrays)
        return scratch


class BoosterScorer:
    """Scores by LightGBM: the reference, and the fallback for models that the kernel does not cover."""

    engine = "booster"

    def __init__(self, model_text: str, threads: int = 1) -> None:
        """Load the model.

        Raises:
            UnsupportedModelError: a row has several scores.
        """
        import lightgbm  # noqa: PLC0415  takes seconds, and most processes never need it

        self._booster: Any = lightgbm.Booster(model_str=model_text)
        if self._booster.num_model_per_iteration() != 1:
            raise UnsupportedModelError("multiclass: a row has several scores")
        self.features: int = self._booster.num_feature()
        self._threads = threads

    def score(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Score rows; see Scorer."""
        require_matrix(matrix, self.features)
        if not len(matrix):
            return np.empty(0, np.float64)
        scores: NDArray[np.float64] = self._booster.predict(matrix, raw_score=True, num_threads=self._threads)
        return scores

    def warm_up(self) -> None:
        """Nothing to do: the model is loaded."""


def make_scorer(model_text: str, tables: ScoringTables | None = None) -> Scorer:
    """The fastest scorer that covers a model; pass `tables` to skip building them.

    Raises:
        ModelTextError: the text is truncated, damaged or not a LightGBM model.
        TablesError: the tables were built from another model text.
        UnsupportedModelError: a row has several scores.
    """
    if tables is None:
        try:
            tables = build_tables(model_text)
        except UnsupportedModelError:
            return BoosterScorer(model_text)
    elif tables.model_sha256 != sha256_of(model_text):
        raise TablesError(f"tables of model {tables.model_sha256[:12]}, not of {sha256_of(model_text)[:12]}")
    return BitslicedScorer(tables)


def require_matrix(matrix: NDArray[np.float32], features: int) -> None:
    """Raise ValueError unless the matrix is float32, (rows, features) and C-contiguous."""
    if matrix.dtype != np.float32:
        raise ValueError(f"matrix of {matrix.dtype}, must be float32")
    if matrix.ndim != 2 or matrix.shape[1] != features:  # noqa: PLR2004  rows and columns
        raise ValueError(f"matrix of shape {matrix.shape}, must be (rows, {features})")
    if not matrix.flags.c_contiguous:
        raise ValueError("matrix must be C-contiguous")
