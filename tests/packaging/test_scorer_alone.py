"""Somebody else's LightGBM model, with the scorer's own package installed and nothing more of photofeed."""

import re
from pathlib import Path

import lightgbm
import numpy as np

import photofeed.models.scorer
from tests.packaging.empty_venv import run, venv_with

PACKAGE = Path(photofeed.models.scorer.__file__).parent
ALONE = """
import importlib.util
assert importlib.util.find_spec("photofeed.errors") is None
"""
WITHOUT_LIGHTGBM = """
assert importlib.util.find_spec("lightgbm") is None
import numpy as np
from pathlib import Path
from photofeed.models.scorer import build_tables, make_scorer
text = Path("model.txt").read_text()
scorer = make_scorer(text, build_tables(text))
print(scorer.engine, np.array_equal(scorer.score(np.load("rows.npy")), np.load("scores.npy")))
"""


def test_the_example_of_its_readme_runs_without_the_rest_of_photofeed(tmp_path: Path) -> None:
    example = re.search(r"^```python\n(.*?)^```", (PACKAGE / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert example is not None
    python = venv_with(PACKAGE, tmp_path / "venv", extras=["lightgbm"])
    assert run(python, ALONE + example[1], tmp_path).splitlines()[-1] == "bitsliced True"


def test_a_server_scores_exactly_without_lightgbm(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).random((600, 5), dtype=np.float32)
    data = lightgbm.Dataset(rows, rows[:, 0] * rows[:, 1])
    booster = lightgbm.train({"objective": "regression", "verbose": -1, "num_threads": 1}, data, 10)
    booster.save_model(tmp_path / "model.txt")
    np.save(tmp_path / "rows.npy", rows)
    np.save(tmp_path / "scores.npy", booster.predict(rows, raw_score=True))
    python = venv_with(PACKAGE, tmp_path / "venv")
    assert run(python, ALONE + WITHOUT_LIGHTGBM, tmp_path) == "bitsliced True\n"
