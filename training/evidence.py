"""What the gates judge by: a version and the champion of the moment, measured anew on slates that neither has seen."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import InvalidError, PermanentError
from photofeed.features.manifest import FeatureManifest
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.features.ratios import MICROSECONDS
from photofeed.model_contract import CHAMPION, ModelBundle, ModelContract, ModelRegistry
from photofeed.scorer import Scorer, ScorerError, ScoringTables, make_scorer
from photofeed.settings import Settings
from training.champion import bundle_scores
from training.dataset import Dataset, Origin, build, impressions
from training.evaluate import MODEL, Evaluation, evaluate
from training.online_parity import feature_differences
from training.sources import Sources
from training.window import Window

TIMED_RUNS = 21


@dataclass(frozen=True, slots=True)
class Evidence:
    """A version before the gates; what could not be found out is None, and the reason is in `missing`.

    Attributes:
        bundle: its files.
        served: the stored features that are served now.
        now: the moment of the judgement.
        champion: the version of the champion; None where there is none.
        scorer: what would serve the version.
        judged: slates that neither it nor the champion has learned from.
        evaluation: both, and the baselines, on those slates; without the champion where that cannot be compared.
        skew: see training.online_parity.
        missing: name of an attribute, or `champion` -> why there is none, or why it was not compared.
    """

    bundle: ModelBundle
    served: FeatureManifest
    now: datetime
    champion: str | None = None
    scorer: Scorer | None = None
    judged: Dataset | None = None
    evaluation: Evaluation | None = None
    skew: NDArray[np.float64] | None = None
    missing: dict[str, str] = field(default_factory=dict)


def gather(
    settings: Settings,
    sources: Sources,
    registry: ModelRegistry,
    version: str,
    now: datetime,
    *,
    longest_days: float,
    skew_rows: int,
) -> Evidence:
    """Everything there is to know of a version (a number or an alias) as a champion.

    Raises:
        NotFoundError: no such version.
        DamagedModelError: its files are not those that were registered.
        RetryableError: MLflow or object storage does not answer.
    """
    folder, missing = settings.state_dir / "models", dict[str, str]()
    bundle, champion = registry.fetch(version, folder), _champion(registry, settings, missing)
    judged = _judged(sources, [bundle, *([champion] if champion else [])], now, longest_days, missing)
    return Evidence(
        bundle,
        sources.manifest,
        now,
        champion=registry.current_version(CHAMPION),
        scorer=_scorer(bundle, missing),
        judged=judged,
        evaluation=_evaluation(bundle, champion, judged, missing),
        skew=_skew(settings, sources, judged, skew_rows, missing),
        missing=missing,
    )


def seconds_to_score(scorer: Scorer, rows: int) -> float:
    """The median time of scoring `rows` rows, by one thread, once everything is warm."""
    matrix = np.random.default_rng(0).random((rows, scorer.features), dtype=np.float32)
    scorer.warm_up()
    taken = []
    for _ in range(TIMED_RUNS):
        began = time.perf_counter()
        scorer.score(matrix)
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


def unseen_from(contract: ModelContract) -> datetime:
    """From when on slates are news to a model; contracts of old versions only tell when its training window ended."""
    return contract.unseen_from or contract.trained_until


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
        tables = ScoringTables.load(bundle.tables_path) if bundle.tables_path else None
        return make_scorer(bundle.model_path.read_text(), tables)
    except ScorerError as error:
        missing["scorer"] = str(error)
        return None


def _judged(
    sources: Sources, bundles: Sequence[ModelBundle], now: datetime, longest_days: float, missing: dict[str, str]
) -> Dataset | None:
    if bundles[0].contract.feature_service != sources.manifest.service:
        missing["judged"] = f"trained on {bundles[0].contract.feature_service}, served is {sources.manifest.service}"
        return None
    start = max(now - timedelta(days=longest_days), *(unseen_from(bundle.contract) for bundle in bundles))
    try:
        return build(sources, Window(start, now))
    except InvalidError as error:
        missing["judged"] = f"{error}; wait for more engagement, or run `photofeed train` on a window that ends earlier"
        return None


def _evaluation(
    bundle: ModelBundle, champion: ModelBundle | None, judged: Dataset | None, missing: dict[str, str]
) -> Evaluation | None:
    if judged is None:
        missing["evaluation"] = missing["judged"]
        return None
    try:
        rankers = {MODEL: bundle_scores(bundle, judged)}
    except InvalidError as error:
        missing["evaluation"] = str(error)
        return None
    if champion is not None:
        try:
            rankers[CHAMPION] = bundle_scores(champion, judged)
        except InvalidError as error:
            missing["champion"] = str(error)
    return evaluate(judged, rankers)


def _skew(
    settings: Settings, sources: Sources, judged: Dataset | None, rows: int, missing: dict[str, str]
) -> NDArray[np.float64] | None:
    if judged is None:
        missing["skew"] = missing["judged"]
        return None
    shown = impressions(sources, judged.window, Origin.JOINED)
    return feature_differences(settings, sources, shown, rows, datetime.now(UTC))


def hours_since(moment: datetime, now: datetime) -> float:
    """Hours between two moments."""
    return (now - moment) / timedelta(hours=1)


def newest_slate(judged: Dataset) -> datetime:
    """When the newest of the slates started."""
    return datetime.fromtimestamp(int(judged.slate_start_us[-1]) / MICROSECONDS, judged.window.end.tzinfo)


def unserved_features(contract: ModelContract) -> list[str]:
    """Features that a model wants and this release does not compute."""
    return [name for name in contract.feature_names if name not in FEATURE_NAMES]
