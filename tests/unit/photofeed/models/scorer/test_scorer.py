"""What a caller of a scorer relies on: clear refusals, empty requests, threads, any machine."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from numpy.typing import NDArray

import photofeed
from photofeed.models.scorer import (
    BitslicedScorer,
    BoosterScorer,
    ModelTextError,
    Scorer,
    ScorerMismatchError,
    TablesError,
    build_tables,
    make_scorer,
    verify_exact,
)


@pytest.fixture(scope="module")
def booster(ranker_text: str) -> BoosterScorer:
    return BoosterScorer(ranker_text)


@pytest.fixture(params=["bitsliced", "booster"])
def scorer(request: pytest.FixtureRequest, ranker: BitslicedScorer, booster: BoosterScorer) -> Scorer:
    scorers: dict[str, Scorer] = {"bitsliced": ranker, "booster": booster}
    return scorers[request.param]


@pytest.mark.parametrize(
    ("matrix", "problem"),
    [
        (np.zeros((3, 6), np.float64), "float64, must be float32"),
        (np.zeros((3, 6), ">f4"), "must be float32"),
        (np.zeros((3, 7), np.float32), r"\(3, 7\), must be \(rows, 6\)"),
        (np.zeros(6, np.float32), r"\(6,\), must be \(rows, 6\)"),
        (np.zeros((6, 3), np.float32).T, "C-contiguous"),
        (np.zeros((6, 6), np.float32)[::2], "C-contiguous"),
    ],
)
def test_a_wrong_matrix_is_refused_with_the_reason(scorer: Scorer, matrix: NDArray[np.float32], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        scorer.score(matrix)


def test_no_rows(scorer: Scorer) -> None:
    scores = scorer.score(np.zeros((0, 6), np.float32))

    assert scores.shape == (0,)
    assert scores.dtype == np.float64


def test_bytes_received_are_scored_where_they_lie(scorer: Scorer, features: NDArray[np.float32]) -> None:
    received = b"\0" + features.tobytes()
    matrix = np.frombuffer(received, np.float32, offset=1).reshape(features.shape)  # read-only and unaligned

    assert np.array_equal(scorer.score(matrix), scorer.score(features))


def test_scores_of_one_call_outlive_the_next(ranker: BitslicedScorer, features: NDArray[np.float32]) -> None:
    first = ranker.score(features[:100])
    kept = first.copy()
    ranker.score(features[100:300])

    assert np.array_equal(first, kept)


def test_threads_share_a_scorer(ranker: BitslicedScorer, booster: BoosterScorer, features: NDArray[np.float32]) -> None:
    parts = [np.ascontiguousarray(features[first::4]) for first in range(4)]
    expected = [booster.score(part) for part in parts]
    together = Barrier(len(parts))

    def wrong_answers(number: int) -> int:
        together.wait()
        return sum(not np.array_equal(ranker.score(parts[number]), expected[number]) for _ in range(300))

    with ThreadPoolExecutor(len(parts)) as pool:
        assert list(pool.map(wrong_answers, range(len(parts)))) == [0, 0, 0, 0]


def test_the_fast_engine_is_chosen_and_tables_are_taken(ranker_text: str, features: NDArray[np.float32]) -> None:
    built, given = make_scorer(ranker_text), make_scorer(ranker_text, build_tables(ranker_text))
    given.warm_up()

    assert (built.engine, given.engine) == ("bitsliced", "bitsliced")
    assert built.features == given.features == 6
    assert np.array_equal(built.score(features), given.score(features))


def test_tables_of_another_model_are_refused(ranker_text: str) -> None:
    tables = replace(build_tables(ranker_text), model_sha256="0" * 64)

    with pytest.raises(TablesError, match="tables of model 000000000000, not of"):
        make_scorer(ranker_text, tables)


def test_a_damaged_text_is_no_reason_to_fall_back() -> None:
    with pytest.raises(ModelTextError):
        make_scorer("tree\nversion=v4\n")


@pytest.mark.parametrize("leaf", [0, -1])
def test_a_leaf_that_is_off_by_one_bit_is_found(ranker_text: str, leaf: int) -> None:
    tables = build_tables(ranker_text)
    first_leaf, bits = int(tables.arrays.trees["first_leaf"][7]), int(tables.arrays.trees["bits"][7])
    leaves = tables.arrays.leaf_values[first_leaf : first_leaf + (1 << bits)]
    leaves[np.flatnonzero(leaves)[leaf]] *= 1 + 2**-40
    broken = BitslicedScorer(tables)

    with pytest.raises(ScorerMismatchError, match=r"row [0-9]+ scores .*, Booster\.predict says") as caught:
        verify_exact(broken, ranker_text, 5000)
    assert caught.value.got != caught.value.expected


def test_the_row_named_is_the_first_that_differs(ranker: BitslicedScorer, ranker_text: str) -> None:
    class WrongFromRow41:
        engine, features = ranker.engine, ranker.features

        def score(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
            scores = ranker.score(matrix)
            scores[41:] += 1
            return scores

        def warm_up(self) -> None:
            ranker.warm_up()

    with pytest.raises(ScorerMismatchError) as caught:
        verify_exact(WrongFromRow41(), ranker_text, 100)
    assert caught.value.row == 41


SCORE_IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
import numpy as np
from photofeed.models.scorer import BitslicedScorer, ScoringTables
scorer = BitslicedScorer(ScoringTables.load(Path("tables.npz")))
np.save("scores.npy", scorer.score(np.load("matrix.npy")))
assert "lightgbm" not in sys.modules
"""


def test_a_plain_processor_without_a_folder_to_write(
    ranker_text: str, booster: BoosterScorer, features: NDArray[np.float32], tmp_path: Path
) -> None:
    """The image is built on one machine and runs, read-only, on another that has no vector instructions to speak of."""
    build_tables(ranker_text).save(tmp_path / "tables.npz")
    np.save(tmp_path / "matrix.npy", features)
    (package,) = photofeed.__path__
    shutil.copytree(package, tmp_path / "photofeed", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "photofeed" / "models" / "scorer" / "__pycache__").touch()  # a file: not even root can make the folder
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    environment |= {"XDG_CACHE_HOME": os.devnull, "PYTHONPATH": str(tmp_path)}
    environment |= {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}

    run = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-c", SCORE_IN_ANOTHER_PROCESS],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert np.array_equal(np.load(tmp_path / "scores.npy"), booster.score(features))
