"""Evidence for the gates: a version and the current champion, evaluated on slates that neither was trained on."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import InvalidError, PermanentError
from photofeed.features.manifest import FeatureManifest
from photofeed.models.contract import ModelContract
from photofeed.models.registry import CHAMPION, ModelBundle, ModelRegistry
from photofeed.models.scorer import Scorer, ScorerError
from photofeed.models.servable import load_scorer
from photofeed.offline_store.tables import ENGAGEMENT
from photofeed.settings import Settings
from photofeed.times import MICROSECONDS
from training.data.dataset import Dataset, Origin, build_dataset, impressions
from training.data.sources import Sources
from training.data.unseen import unseen_from
from training.data.window import Window
from training.evaluation.champion import bundle_scores, comparable_program
from training.evaluation.compared import compared_program
from training.evaluation.evaluate import MODEL, Evaluation, evaluate
from training.monitoring.online_parity import feature_differences

TIMED_RUNS = 21


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the gates know about a version. An unknown attribute is None, and `missing` has the reason.

    Attributes:
        bundle: the files of the version.
        served_manifest: the stored features that are served now.
        now: the time of the promotion.
        champion: the version of the champion; None if there is none.
        scorer: the engine that would score the version in service.
        unseen_slates: slates that neither the version nor the champion was trained on.
        evaluation: the version, the champion and the baselines on those slates; without a champion that cannot score
            them.
        counting_since: the time of the first event that counters have.
        skew: of the features of the version, in order; see training.monitoring.online_parity.
        missing: name of an attribute -> why it is None; `champion` -> why the champion was not compared.
    """

    bundle: ModelBundle
    served_manifest: FeatureManifest
    now: datetime
    champion: str | None = None
    scorer: Scorer | None = None
    unseen_slates: Dataset | None = None
    evaluation: Evaluation | None = None
    counting_since: datetime | None = None
    skew: NDArray[np.float64] | None = None
    missing: dict[str, str] = field(default_factory=dict)


def gather_evidence(
    settings: Settings,
    sources: Sources,
    registry: ModelRegistry,
    version: str,
    now: datetime,
    *,
    longest_days: float,
    skew_rows: int,
) -> Evidence:
    """Collect the evidence for a version, which is a number or an alias.

    Raises:
        NotFoundError: no such version.
        DamagedModelError: its files differ from those that were registered.
        RetryableError: MLflow or object storage does not answer.
    """
    folder, missing = settings.state_dir / "models", dict[str, str]()
    bundle, champion = registry.fetch(version, folder), _champion(registry, settings, missing)
    unseen_slates = _unseen_slates(sources, [bundle, *([champion] if champion else [])], now, longest_days, missing)
    return Evidence(
        bundle,
        sources.manifest,
        now,
        champion=registry.current_version(CHAMPION),
        scorer=_scorer(bundle, missing),
        unseen_slates=unseen_slates,
        evaluation=_evaluation(bundle, champion, unseen_slates, missing),
        counting_since=sources.logs.first_hour(ENGAGEMENT),
        skew=_skew(settings, sources, bundle, unseen_slates, skew_rows, missing),
        missing=missing,
    )


def seconds_to_score(scorer: Scorer, rows: int) -> float:
    """The median time to score `rows` rows with one thread, after a warm-up."""
    matrix = np.random.default_rng(0).random((rows, scorer.features), dtype=np.float32)
    scorer.warm_up()
    durations = []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        scorer.score(matrix)
        durations.append(time.perf_counter() - start)
    return float(np.median(durations))


def _champion(registry: ModelRegistry, settings: Settings, missing: dict[str, str]) -> ModelBundle | None:
    if registry.current_version(CHAMPION) is None:
        return None
    try:
        return registry.fetch(CHAMPION, settings.state_dir / "models")
    except PermanentError as error:
        missing["champion"] = str(error)
        return None


def _scorer(bundle: ModelBundle, missing: dict[str, str]) -> Scorer | None:
    try:
        return load_scorer(bundle)
    except ScorerError as error:
        missing["scorer"] = str(error)
        return None


def _unseen_slates(
    sources: Sources, bundles: Sequence[ModelBundle], now: datetime, longest_days: float, missing: dict[str, str]
) -> Dataset | None:
    try:
        program = bundles[0].contract.program
        program.require_stored(sources.manifest)
    except PermanentError as error:
        missing["unseen_slates"] = str(error)
        return None
    start = max(now - timedelta(days=longest_days), *(unseen_from(bundle.contract) for bundle in bundles))
    try:
        programs = [beside for bundle in bundles[1:] if (beside := comparable_program(bundle, sources.manifest))]
        return build_dataset(sources.with_program(compared_program(program, *programs)), Window(start, now))
    except InvalidError as error:
        advice = "wait for more engagement, or run `photofeed train` on a window that ends earlier"
        missing["unseen_slates"] = f"{error}; {advice}"
        return None


def _evaluation(
    bundle: ModelBundle, champion: ModelBundle | None, slates: Dataset | None, missing: dict[str, str]
) -> Evaluation | None:
    if slates is None:
        missing["evaluation"] = missing["unseen_slates"]
        return None
    try:
        rankers = {MODEL: bundle_scores(bundle, slates)}
    except InvalidError as error:
        missing["evaluation"] = str(error)
        return None
    if champion is not None:
        try:
            rankers[CHAMPION] = bundle_scores(champion, slates)
        except InvalidError as error:
            missing["champion"] = str(error)
    return evaluate(slates, rankers)


def _skew(
    settings: Settings,
    sources: Sources,
    bundle: ModelBundle,
    slates: Dataset | None,
    rows: int,
    missing: dict[str, str],
) -> NDArray[np.float64] | None:
    if slates is None:
        missing["skew"] = missing["unseen_slates"]
        return None
    of_version = sources.with_program(bundle.contract.program)
    recent = impressions(of_version, slates.window, Origin.JOINED)
    return feature_differences(settings, of_version, recent, rows)


def hours_since(moment: datetime, now: datetime) -> float:
    """The hours between two times."""
    return (now - moment) / timedelta(hours=1)


def newest_slate(slates: Dataset) -> datetime:
    """The start of the newest slate."""
    return datetime.fromtimestamp(int(slates.slate_start_us[-1]) / MICROSECONDS, slates.window.end.tzinfo)


def unserved_features(contract: ModelContract) -> str:
    """What a model needs and this release does not compute, in words; empty if nothing."""
    try:
        program = contract.program
    except PermanentError as error:
        return str(error)
    return "" if program.names == contract.feature_names else "other features than its columns"
