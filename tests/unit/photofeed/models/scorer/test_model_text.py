"""A model text that is damaged or not covered must be refused with a reason, never scored wrongly."""

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from photofeed.models.scorer import ModelTextError, UnsupportedModelError, build_tables, make_scorer, verify_exact
from photofeed.models.scorer.model_text import parse_model


def train(features: NDArray[np.float32], **parameters: object) -> str:
    label = np.arange(len(features)) % 3
    data = lightgbm.Dataset(np.nan_to_num(features), label)
    settings = {"objective": "regression", "num_leaves": 4, "verbose": -1, "num_threads": 1, **parameters}
    text: str = lightgbm.train(settings, data, 3).model_to_string()
    return text


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1}, "random forest"),
        ({"linear_tree": True}, "linear trees"),
    ],
)
def test_models_that_only_lightgbm_can_score(
    features: NDArray[np.float32], parameters: dict[str, object], reason: str
) -> None:
    text = train(features, **parameters)
    matrix = np.nan_to_num(features)

    with pytest.raises(UnsupportedModelError, match=reason):
        build_tables(text)
    scorer = make_scorer(text)
    assert scorer.engine == "booster"
    assert np.array_equal(scorer.score(matrix), lightgbm.Booster(model_str=text).predict(matrix, raw_score=True))
    verify_exact(scorer, text, 10)


def test_several_scores_a_row_are_nobodys_raw_score(features: NDArray[np.float32]) -> None:
    text = train(features, objective="multiclass", num_class=3)

    with pytest.raises(UnsupportedModelError, match="multiclass"):
        build_tables(text)
    with pytest.raises(UnsupportedModelError, match="multiclass"):
        make_scorer(text)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("version=v4", "version=v9", "version v9"),
        ("num_leaves=31", "num_leaves=65537", "65537 leaves"),
    ],
)
def test_unsupported_texts(ranker_text: str, old: str, new: str, reason: str) -> None:
    with pytest.raises(UnsupportedModelError, match=reason):
        parse_model(ranker_text.replace(old, new, 1))


def test_a_model_without_trees(ranker_text: str) -> None:
    head, _, rest = ranker_text.partition("\nTree=0")
    text = "\n".join("tree_sizes=" if line.startswith("tree_sizes") else line for line in head.splitlines())

    with pytest.raises(UnsupportedModelError, match="without trees"):
        parse_model(text + "\n\nend of trees" + rest.partition("\nend of trees")[2])


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_text_cut_off(ranker_text: str, share: float) -> None:
    with pytest.raises(ModelTextError, match="truncated"):
        parse_model(ranker_text[: int(len(ranker_text.partition("end of trees")[0]) * share)])


def test_a_missing_tree(ranker_text: str) -> None:
    first, second = ranker_text.index("\nTree=1\n"), ranker_text.index("\nTree=2\n")

    with pytest.raises(ModelTextError, match="19 trees in the text, and the header declares 20"):
        parse_model(ranker_text[:first] + ranker_text[second:])


def damaged(text: str, key: str, place: int, value: str) -> str:
    """The text with one value of the first tree's `key` replaced."""
    start = text.index(f"\n{key}=") + len(key) + 2
    end = text.index("\n", start)
    words = text[start:end].split()
    words[place] = value
    return text[:start] + " ".join(words) + text[end:]


@pytest.mark.parametrize(
    ("key", "place", "value", "problem"),
    [
        ("split_feature", 0, "6", "split_feature out of range"),
        ("split_feature", 0, "-1", "split_feature out of range"),
        ("decision_type", 0, "12", "unknown decision_type"),
        ("threshold", 0, "nan", "threshold is not a number"),
        ("threshold", 0, "x", "could not convert"),
        ("threshold", 0, "1 2", "31 values instead of 30"),
        ("left_child", 0, "0", "a child before its parent"),
        ("left_child", 0, "30", "children do not make a tree"),
        ("left_child", 0, "-31", "children do not make a tree"),
        ("right_child", -1, "99999999999", "right_child"),
        ("cat_boundaries", 0, "1", "cat_boundaries out of order"),
        ("cat_threshold", 0, "-1", "cat_threshold"),
        ("num_leaves", 0, "many", "num_leaves"),
    ],
)
def test_damage_inside_a_tree(ranker_text: str, key: str, place: int, value: str, problem: str) -> None:
    with pytest.raises(ModelTextError, match=f"tree 0: .*{problem}"):
        parse_model(damaged(ranker_text, key, place, value))


def test_a_category_set_that_is_not_there(ranker_text: str) -> None:
    tree = parse_model(ranker_text).trees[0]
    split = int(np.flatnonzero(tree.categorical)[0])

    with pytest.raises(ModelTextError, match="no such category set"):
        parse_model(damaged(ranker_text, "threshold", split, "99"))
