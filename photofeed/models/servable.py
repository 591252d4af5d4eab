"""Whether a registered version can rank: what servers check before they use it, and rollbacks before they go back."""

import numpy as np

from photofeed.errors import InvalidError, PermanentError
from photofeed.features.program import UnknownFeatureError
from photofeed.models.contract import LIGHTGBM, ONNX, ModelContract
from photofeed.models.onnx_scorer import TOLERANCE, OnnxScorer
from photofeed.models.registry import ModelBundle
from photofeed.models.scorer import Scorer, ScorerError, ScoringTables, make_scorer


class UnfitModelError(PermanentError):
    """A registered model that a server must not rank with."""

    code = "model_unfit"


def servable_scorer(bundle: ModelBundle) -> Scorer:
    """The scorer of a version that passes the checks, ready to score.

    Raises:
        UnfitModelError: this release lacks a function that its features refer to, its features and its model or its
            manifest do not fit together, its files cannot be loaded, or its scores differ from those of
            Booster.predict.
    """
    contract, version = bundle.contract, bundle.version
    try:
        program = contract.program
        program.require_stored(contract.manifest)
    except (InvalidError, UnknownFeatureError) as error:
        raise UnfitModelError(f"version {version} cannot be served: {error}") from error
    try:
        scorer = load_scorer(bundle)
        if scorer.features != len(program):
            raise ValueError(f"the model takes {scorer.features} features, and its contract has {len(program)}")
        scorer.warm_up()
        _check_scores(contract, scorer)
    except (ScorerError, ValueError) as error:
        raise UnfitModelError(f"version {version} cannot be loaded: {error!r}") from error
    return scorer


def load_scorer(bundle: ModelBundle) -> Scorer:
    """The scorer of a version, by the engine that its contract names.

    Raises:
        ScorerError: the files are damaged, or of a model that the engine does not cover.
        ValueError: the scoring tables are damaged.
    """
    contract = bundle.contract
    if contract.engine == ONNX:
        return OnnxScorer(bundle.model_path.read_bytes(), dict(contract.outputs))
    tables = ScoringTables.load(bundle.tables_path) if bundle.tables_path else None
    return make_scorer(bundle.model_path.read_text(), tables)


def _check_scores(contract: ModelContract, scorer: Scorer) -> None:
    """Refuse a scorer whose scores of the contract's samples differ from those of the model that was registered.

    Scores of LightGBM models are equal to the last bit, those of other engines to TOLERANCE.
    """
    if contract.samples is None:
        return
    rows, expected = contract.samples.arrays()
    got = scorer.score(np.ascontiguousarray(rows, np.float32))
    if contract.engine != LIGHTGBM:
        near = np.isclose(got, expected, rtol=TOLERANCE, atol=TOLERANCE)
        if not near.all():
            apart = f"{np.count_nonzero(~near)} of {len(rows)} sample rows"
            raise UnfitModelError(f"{apart} have scores that differ by more than {TOLERANCE:g} from the model's own")
    elif not np.array_equal(got.view(np.int64), expected.view(np.int64)):
        wrong = int((got != expected).sum())
        raise UnfitModelError(f"{wrong} of {len(rows)} sample rows have other scores than from Booster.predict")
