"""Other engines for LightGBM models. scorer.py measures those that are installed. photofeed depends on none of them.

lleaves needs llvmlite below 0.45, which is older than photofeed's numba allows. Install it in a separate venv together
with the dependencies of `photofeed/models/scorer`.
"""

import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Score = Callable[[NDArray[np.float32]], NDArray[np.float64]]


def compile_lleaves(model: Path) -> Score:
    """lleaves: the trees as machine code by LLVM."""
    import lleaves

    compiled = lleaves.Model(str(model))
    compiled.compile(raw_score=True)
    return lambda matrix: compiled.predict(matrix, n_jobs=1)


def load_treelite(model: Path) -> Score:
    """Treelite's own interpreter of trees, GTIL."""
    import treelite

    loaded = treelite.frontend.load_lightgbm_model(str(model))
    return lambda matrix: treelite.gtil.predict(loaded, matrix, nthread=1, pred_margin=True).reshape(len(matrix))


def compile_tl2cgen(model: Path) -> Score:
    """TL2cgen, Treelite's code generator: the trees as C code, compiled by gcc."""
    import tl2cgen
    import treelite

    library = model.with_suffix(".so")
    loaded = treelite.frontend.load_lightgbm_model(str(model))
    # the number of files the C code is split into: in a single one gcc takes several times as long
    tl2cgen.export_lib(loaded, toolchain="gcc", libpath=str(library), params={"parallel_comp": 16})
    predictor = tl2cgen.Predictor(str(library), nthread=1)

    def score(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        scores: NDArray[np.float64] = predictor.predict(tl2cgen.DMatrix(matrix, dtype="float32"), pred_margin=True)
        return scores.reshape(len(matrix))

    return score


ALTERNATIVES = {"lleaves": compile_lleaves, "treelite": load_treelite, "tl2cgen": compile_tl2cgen}


def is_installed(name: str) -> bool:
    """Whether this engine is installed."""
    return importlib.util.find_spec(name) is not None


def prepare(name: str, model_text: str) -> Score:
    """Load or compile the model with this engine."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.txt"
        model.write_text(model_text)
        return ALTERNATIVES[name](model)
