"""What a split does with every kind of value, stated by hand, and asked of LightGBM too."""

import numpy as np
import pytest

from photofeed.models.scorer import BoosterScorer, make_scorer

NAN, INF = float("nan"), float("inf")
LEFT, RIGHT = 1.0, 2.0
NUMERIC_LEFT, ZERO_MISSING, NAN_MISSING, DEFAULT_LEFT, CATEGORICAL = 0, 4, 8, 2, 1

HEADER = """tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=0
objective=regression
feature_names=a
feature_infos=[-1:1]
"""


def model_text(**fields: object) -> str:
    """A model of one tree that asks for the only feature."""
    tree = "\n".join(
        ["Tree=0", *(f"{key}={value}" for key, value in fields.items()), "is_linear=0", "shrinkage=1", "", ""]
    )
    return f"{HEADER}tree_sizes={len(tree) + 1}\n\n{tree}\nend of trees\n\nparameters:\nend of parameters\n"


def one_split(threshold: str, decision: int, category_words: str = "") -> str:
    """A model of one split: left scores 1, right scores 2."""
    words = category_words.split()
    return model_text(
        num_leaves=2,
        num_cat=int(bool(words)),
        split_feature=0,
        threshold=threshold,
        decision_type=decision,
        left_child=-1,
        right_child=-2,
        leaf_value="1 2",
        cat_boundaries=f"0 {len(words)}" if words else "",
        cat_threshold=category_words,
    )


def chain(leaves: int) -> str:
    """A model of one chain of splits: a whole number scores itself, up to the last leaf."""
    splits = leaves - 1
    return model_text(
        num_leaves=leaves,
        num_cat=0,
        split_feature=" ".join(["0"] * splits),
        threshold=" ".join(str(number) for number in range(splits)),
        decision_type=" ".join(["8"] * splits),
        left_child=" ".join(str(~number) for number in range(splits)),
        right_child=" ".join([*(str(number) for number in range(1, splits)), str(~splits)]),
        leaf_value=" ".join(str(number) for number in range(leaves)),
    )


@pytest.mark.parametrize(
    ("threshold", "decision", "value", "expected"),
    [
        # the float32 next to 0.1 is above the double 0.1
        ("0.1", NAN_MISSING, 0.1, RIGHT),
        ("0.1", NAN_MISSING, 0.09999999, LEFT),
        ("0.10000000149011612", NAN_MISSING, 0.1, LEFT),
        # NaN is missing, or zero where nothing is missing
        ("-1", NAN_MISSING, NAN, RIGHT),
        ("-1", NAN_MISSING | DEFAULT_LEFT, NAN, LEFT),
        ("-1", NUMERIC_LEFT | DEFAULT_LEFT, NAN, RIGHT),
        ("1", NUMERIC_LEFT, NAN, LEFT),
        # zeros are missing, and so are NaN and whatever is as small as a zero
        ("-1", ZERO_MISSING | DEFAULT_LEFT, 0.0, LEFT),
        ("1", ZERO_MISSING, -0.0, RIGHT),
        ("1", ZERO_MISSING, NAN, RIGHT),
        ("1", ZERO_MISSING, 1e-35, RIGHT),
        ("1", ZERO_MISSING, -1e-35, RIGHT),
        ("1", ZERO_MISSING, 1.1e-35, LEFT),
        # what is as small as a zero is zero everywhere
        ("-1e-40", NAN_MISSING, -1e-36, RIGHT),
        ("-0", NAN_MISSING, 0.0, LEFT),
        ("0", NAN_MISSING, -0.0, LEFT),
        # infinities, and thresholds out of float32's range
        ("1e300", NAN_MISSING, INF, RIGHT),
        ("1e300", NAN_MISSING, 3.4028234e38, LEFT),
        ("-1e300", NAN_MISSING, -3.4028234e38, RIGHT),
        ("-1e300", NAN_MISSING, -INF, LEFT),
        ("inf", NAN_MISSING, INF, LEFT),
    ],
)
def test_numeric_split(threshold: str, decision: int, value: float, expected: float) -> None:
    text = one_split(threshold, decision)
    matrix = np.array([[value]], np.float32)

    assert make_scorer(text).score(matrix) == [expected]
    assert BoosterScorer(text).score(matrix) == [expected]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, LEFT),
        (2.0, LEFT),
        (33.0, LEFT),
        (33.9, LEFT),  # truncated
        (-0.9, LEFT),  # truncated to category 0
        (1e-40, LEFT),
        (1.0, RIGHT),
        (34.0, RIGHT),
        (64.0, RIGHT),  # past the bit set
        (-1.0, RIGHT),
        (NAN, RIGHT),
        (INF, RIGHT),
        (-INF, RIGHT),
        (3e9, RIGHT),  # past 32 bits
    ],
)
def test_categorical_split(value: float, expected: float) -> None:
    text = one_split("0", CATEGORICAL, category_words="5 2")  # categories 0, 2 and 33 go left
    matrix = np.array([[value]], np.float32)

    assert make_scorer(text).score(matrix) == [expected]
    assert BoosterScorer(text).score(matrix) == [expected]


def test_no_category_goes_left() -> None:
    text = one_split("0", CATEGORICAL, category_words="0")
    matrix = np.array([[0.0], [1.0], [NAN]], np.float32)

    assert make_scorer(text).score(matrix).tolist() == [RIGHT, RIGHT, RIGHT]
    assert BoosterScorer(text).score(matrix).tolist() == [RIGHT, RIGHT, RIGHT]


@pytest.mark.parametrize("leaves", [2, 255, 256, 257, 65536])
def test_chain_as_deep_as_it_has_leaves(leaves: int) -> None:
    numbers = np.unique(np.linspace(0, leaves - 1, 700).round()).astype(np.float32)

    assert np.array_equal(make_scorer(chain(leaves)).score(numbers[:, None]), numbers)
