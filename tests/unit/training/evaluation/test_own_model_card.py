"""The card of a model that was trained elsewhere has what is known of it, and says what is not."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from photofeed.features.profile import FeatureProfile
from photofeed.features.ranking import FEATURE_NAMES, PROGRAM
from photofeed.models.contract import ModelContract
from tests.served_manifest import SERVED
from training.data.dataset import Dataset
from training.evaluation.evaluate import evaluate
from training.evaluation.own_model_card import NOT_EVALUATED, own_model_card

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SMALL = PROGRAM.select(["aspect", "follows"])
CONTRACT = ModelContract(
    "feed-ranker",
    "run",
    SMALL.names,
    SERVED,
    NOW,
    NOW,
    "",
    "0123456789abcdef" * 4,
    features=SMALL.features,
    profile=FeatureProfile.of(np.array([[0.5, np.nan], [2, np.nan]] * 20, np.float32)),
    engine="onnx",
    outputs=(("click", (1.0, 0.5)), ("dwell", (2.0,))),
)


def test_a_card_has_engine_outputs_and_features_in_their_order() -> None:
    card = own_model_card(CONTRACT, None, "Ours.").splitlines()
    assert card[:2] == ["# Feed ranker", "Ours."]
    assert "Engine onnx, sha256 `0123456789abcdef`." in card
    assert "The score is the sum of the outputs `click` by 1.0, 0.5; `dwell` by 2.0." in card
    assert NOT_EVALUATED in card
    first, second = (next(at for at, line in enumerate(card) if line.startswith(f"| `{name}`")) for name in SMALL.names)
    assert first < second
    assert card[first].endswith("| 0.5 to 2 |")
    assert card[second].endswith("| no value |")


def test_a_model_with_one_score_has_no_outputs_and_without_a_description_the_card_says_where_it_is_from() -> None:
    card = own_model_card(replace(CONTRACT, outputs=(), engine="lightgbm"), None, "")
    assert "outputs" not in card
    assert "A model that was trained elsewhere." in card.splitlines()


def test_a_card_has_the_metrics_of_the_model_on_all_slates_alone(dataset: Dataset) -> None:
    evaluation = evaluate(dataset, {"model": dataset.matrix[:, FEATURE_NAMES.index("post_age_hours")].astype(float)})
    card = own_model_card(CONTRACT, evaluation, "")
    assert NOT_EVALUATED not in card
    told = [line.split(" | ") for line in card.splitlines() if line.startswith("| ") and "`" not in line]
    assert {row[0]: row[1].split()[0] for row in told[2:-2]} == {
        f"| {name}": f"{value:.4f}" for name, value in evaluation.rankers["model"].items()
    }
