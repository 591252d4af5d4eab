"""A score differs from LightGBM's: feeds are ordered by numbers that no offline evaluation ever saw."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from photofeed.models.scorer import BitslicedScorer, BoosterScorer, ScoringTables, build_tables, verify_exact

ROWS = 700  # more than one block, and not a whole number of them
FEATURES = 6


@dataclass(frozen=True)
class Recipe:
    """How a model is trained."""

    seed: int
    trees: int
    parameters: dict[str, Any]
    categorical: bool = True
    scale: float = 1.0
    continued: bool = False


def train(recipe: Recipe) -> str:
    """The text of a small model; half the features are floats of different kinds, the rest categories if asked."""
    random = np.random.default_rng(recipe.seed)
    rows = 400
    matrix = random.normal(size=(rows, FEATURES)).astype(np.float32)
    matrix[:, 1] = np.round(matrix[:, 1] * 3)
    matrix[:, 2] = np.exp(matrix[:, 2] * 10)
    with np.errstate(over="ignore"):  # seldom, a value becomes infinite: models take that too
        matrix[:, :3] *= np.float32(recipe.scale)
    matrix[:, 3] = random.integers(0, 3, rows)
    matrix[:, 4] = random.integers(0, 30, rows)
    matrix[:, 5] = random.integers(0, 300, rows)
    label = random.integers(0, 2, rows) if recipe.parameters["objective"] != "regression" else random.normal(size=rows)
    group = [rows // 20] * 20 if recipe.parameters["objective"] == "lambdarank" else None
    categorical = [3, 4, 5] if recipe.categorical else []
    parameters = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 1, "seed": 1, **recipe.parameters}

    def fit(missing_share: float, trees: int, before: lightgbm.Booster | None) -> lightgbm.Booster:
        seen = np.where(random.random(matrix.shape) < missing_share, np.float32(np.nan), matrix)
        data = lightgbm.Dataset(seen, label, group=group, categorical_feature=categorical)
        return lightgbm.train(parameters, data, trees, init_model=before)

    # a model continued on other data has several missing rules for one feature
    before = fit(0.0, 3, None) if recipe.continued else None
    text: str = fit(0.2, recipe.trees, before).model_to_string()
    return text


RECIPES = st.builds(
    Recipe,
    seed=st.integers(0, 2**31),
    trees=st.integers(1, 19),
    parameters=st.fixed_dictionaries(
        {
            "objective": st.sampled_from(["regression", "binary", "lambdarank"]),
            "boosting": st.sampled_from(["gbdt", "dart"]),
            "num_leaves": st.sampled_from([2, 3, 8, 9, 31, 64, 65, 200]),
            "max_depth": st.sampled_from([-1, 3]),
            "max_bin": st.sampled_from([4, 255, 1000]),
            "min_data_in_bin": st.sampled_from([1, 3]),
            "zero_as_missing": st.booleans(),
            "use_missing": st.booleans(),
            "max_cat_to_onehot": st.sampled_from([1, 40]),
            "extra_trees": st.booleans(),
            "learning_rate": st.sampled_from([0.1, 1.0]),
        }
    ),
    categorical=st.booleans(),
    scale=st.sampled_from([1.0, 1e-35, 1e20]),
    continued=st.booleans(),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(recipe=RECIPES)
def test_any_trained_model(recipe: Recipe) -> None:
    text = train(recipe)

    verify_exact(BitslicedScorer(build_tables(text)), text, ROWS, seed=recipe.seed)


REGRESSION = {"objective": "regression"}
NAMED = {
    "one leaf": Recipe(1, 3, {**REGRESSION, "min_data_in_leaf": 1000}),
    "stumps": Recipe(2, 30, {**REGRESSION, "num_leaves": 2}),
    "no categories": Recipe(3, 8, REGRESSION, categorical=False),
    "categories only": Recipe(4, 9, {**REGRESSION, "feature_contri": [0, 0, 0, 1, 1, 1]}),
    "more than 256 leaves": Recipe(5, 9, {**REGRESSION, "num_leaves": 390, "max_bin": 5000, "min_data_in_bin": 1}),
    "more than 255 thresholds": Recipe(
        6, 40, {**REGRESSION, "extra_trees": True, "max_bin": 5000, "min_data_in_bin": 1, "num_leaves": 60}
    ),
    "dart": Recipe(8, 25, {**REGRESSION, "boosting": "dart", "drop_rate": 0.5}),
    "tiny values, zero is missing": Recipe(9, 10, {**REGRESSION, "zero_as_missing": True}, scale=1e-35),
    "missing values are zeros": Recipe(10, 10, {**REGRESSION, "use_missing": False}),
    "several missing rules": Recipe(11, 10, REGRESSION, continued=True),
}


@pytest.mark.parametrize("name", NAMED)
def test_hard_kinds_of_models(name: str) -> None:
    text = train(NAMED[name])

    verify_exact(BitslicedScorer(build_tables(text)), text, 3000)


def test_the_named_models_are_what_their_names_say() -> None:
    many_leaves = build_tables(train(NAMED["more than 256 leaves"])).arrays
    many_thresholds = build_tables(train(NAMED["more than 255 thresholds"])).arrays
    several_rules = build_tables(train(NAMED["several missing rules"])).arrays

    assert many_leaves.trees["bits"].max() == 9
    assert many_thresholds.columns["rank_offset"].max() >= 255
    assert len(set(several_rules.columns["missing_from"])) > 1


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 511, 512, 513, 1025])
def test_any_number_of_rows(ranker: BitslicedScorer, ranker_text: str, rows: int) -> None:
    verify_exact(ranker, ranker_text, rows)


def test_saved_tables_score_the_same(
    ranker: BitslicedScorer, ranker_text: str, features: NDArray[np.float32], tmp_path: Path
) -> None:
    build_tables(ranker_text).save(tmp_path / "tables.npz")

    loaded = BitslicedScorer(ScoringTables.load(tmp_path / "tables.npz"))

    assert np.array_equal(loaded.score(features), BoosterScorer(ranker_text).score(features))
    assert np.array_equal(loaded.score(features), ranker.score(features))
