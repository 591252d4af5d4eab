"""Drift: the distribution of each feature compared with the training set of a version.

`judge_drift` is the only judgement. `photofeed features drift`, its page and the gate show its result. It does not
judge what changes by nature: features of the clock alone, and counters that were younger than their window, which keep
growing, while the training set was collected.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import InvalidError
from photofeed.features.declarations import Age, RankingFeature
from photofeed.features.manifest import FeatureManifest
from photofeed.features.program import FeatureProgram
from photofeed.models.contract import ModelContract
from photofeed.offline_store.tables import FEED_SERVED
from training.data.dataset import Dataset
from training.data.raw_logs import RawLogs
from training.data.window import Window
from training.errors import EmptyWindowError

MAX_ROWS = 200_000
FEATURES_NAMED = 3  # in the sentence
# A counter is judged if at most this share of the training set is from when it was younger than its window.
YOUNG_SHARE = 0.1
OF_THE_CLOCK, YOUNG = "of the clock alone", "younger than its window"


@dataclass(frozen=True, slots=True)
class Observed:
    """Features of impressions, to compare with a training set.

    Attributes:
        matrix: (rows, features) float32.
        slates: (rows,) the number of the slate of each row.
        ids: name of a join key -> (rows,).
    """

    matrix: NDArray[np.float32]
    slates: NDArray[np.int64]
    ids: Mapping[str, NDArray[np.int64]]

    @classmethod
    def of(cls, dataset: Dataset, names: Sequence[str]) -> Self:
        """The features of a dataset with these names, in this order."""
        ids = {"user_id": dataset.user_ids, "post_id": dataset.post_ids, "creator_id": dataset.creator_ids}
        return cls(dataset.columns(names), np.repeat(np.arange(dataset.slates), dataset.group_sizes), ids)

    def independent(self, keys: Sequence[str]) -> int:
        """The effective number of independent values of a feature of these join keys, at least 1.

        Rows of a slate share the viewer and the time, and rows of a post its features; some have more rows than others.
        Source: Kish, Survey Sampling, 1965: the square of the sum of weights divided by the sum of their squares.
        """
        known = [self.ids[key] for key in keys if key in self.ids]
        of_slates = _effective(self.slates)
        if not known:
            return of_slates
        _, pairs = np.unique(np.stack(known), axis=1, return_inverse=True)
        return min(of_slates, _effective(pairs.ravel()))


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """What one feature shows.

    Attributes:
        psi: the population stability index against the training set.
        limit: the largest index that is no drift: the limit for all features plus the level of chance.
        missing_before, missing_now: the share of missing values in the training set, and now.
        unjudged: why it is not judged; empty if it is.
    """

    name: str
    psi: float
    limit: float
    missing_before: float
    missing_now: float
    unjudged: str = ""

    @property
    def drifted(self) -> bool:
        """Whether it has another distribution than in the training set."""
        return not self.unjudged and self.psi > self.limit

    @property
    def verdict(self) -> str:
        """The result in words."""
        return self.unjudged or ("drifted" if self.drifted else "fine")


@dataclass(frozen=True, slots=True)
class Drift:
    """The judgement.

    Attributes:
        rows: the number of impressions.
        features: those that drifted, those that did not, and those that are not judged; each largest index first.
        psi, largest_share: the limits, see `judge_drift`.
    """

    rows: int
    features: tuple[FeatureDrift, ...]
    psi: float
    largest_share: float

    @property
    def drifted(self) -> list[str]:
        """The features that drifted, largest index first."""
        return [feature.name for feature in self.features if feature.drifted]

    @property
    def share(self) -> float:
        """The share of the version's features that drifted."""
        return len(self.drifted) / len(self.features)

    @property
    def passed(self) -> bool:
        """Whether no more features drifted than may."""
        return self.share <= self.largest_share

    def __str__(self) -> str:
        largest = ", ".join(f"{one.name} {one.psi:.2f}" for one in self.features[:FEATURES_NAMED] if not one.unjudged)
        text = f"{self.share:.0%} of features with a PSI above {self.psi:g} plus the level of chance"
        text += f" (largest: {largest})" if largest else ""
        if reasons := Counter(one.unjudged for one in self.features if one.unjudged):
            text += "; not judged: " + ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        return f"{text}; at most {self.largest_share:.0%}"

    def metrics(self) -> Mapping[str, float]:
        """The metrics for MLflow."""
        psi = {f"drift_psi_{one.name}": one.psi for one in self.features}
        missing = {f"drift_missing_{one.name}": one.missing_now for one in self.features}
        worst = max((one.psi for one in self.features if not one.unjudged), default=0.0)
        return {"drift_share": self.share, "drift_psi_worst": worst, "drift_rows": float(self.rows)} | psi | missing


def judge_drift(
    contract: ModelContract,
    observed: Observed,
    counting_since: datetime | None,
    *,
    psi: float,
    largest_share: float,
) -> Drift:
    """Compare features, in the order of the contract, with the training set of the version.

    Args:
        contract: tells the training set.
        observed: the features.
        counting_since: the time of the first event that counters have; None if nothing was counted.
        psi: the largest index, above the level of chance, that is no drift.
        largest_share: the largest share of features that may have drifted.

    Raises:
        InvalidError: the version has no profile of its training set.
        UnknownFeatureError: this release does not have the features of the version.
    """
    profile = contract.profile
    if profile is None:
        raise InvalidError("the version has no profile of its features: run `photofeed train`")
    views = {view.name: view for view in contract.manifest.views}
    settled = _settled_seconds(contract, counting_since)
    found = profile.psi(observed.matrix)
    chances: dict[tuple[str, ...], NDArray[np.float64]] = {}
    missing_now, features = np.isnan(observed.matrix).mean(axis=0), []
    for at, feature in enumerate(contract.program.features):
        reads = FeatureProgram([feature]).reads
        of = [view for column in reads if (view := views.get(column.partition("__")[0]))]
        keys = tuple(sorted({key.name for view in of for key in view.schema.join_keys}))
        if keys not in chances:
            chances[keys] = profile.psi_of_chance(observed.independent(keys))
        unjudged = OF_THE_CLOCK if not reads else ""
        unjudged = unjudged or (YOUNG if _window_seconds(feature, reads, contract.manifest) > settled else "")
        shares = profile.shares[at][-1], float(missing_now[at])
        limit = psi + float(chances[keys][at])
        features.append(FeatureDrift(feature.name, float(found[at]), limit, *shares, unjudged))
    features.sort(key=lambda one: (not one.drifted, bool(one.unjudged), -one.psi))
    return Drift(len(observed.matrix), tuple(features), psi, largest_share)


def served_features(logs: RawLogs, contract: ModelContract, window: Window) -> Observed:
    """Features as served in the window, in the order of the contract; a sample of up to MAX_ROWS rows.

    Raises:
        EmptyWindowError: nothing was served in the window with exactly these features.
        RetryableError: object storage cannot be reached.
    """
    import duckdb  # only the commands that read logs need it

    names = list(contract.feature_names)
    if parts := logs.parts(FEED_SERVED, window):
        with duckdb.connect() as connection:
            files = [str(part) for part in parts]
            connection.register("served", connection.read_parquet(files, hive_partitioning=False, union_by_name=True))
            arguments = {"first": window.start, "end": window.end, "names": names}
            table = connection.sql(_SERVED, params=arguments).to_arrow_table()
        if len(table):
            column: Any = table["features"].combine_chunks()
            flat: NDArray[np.float32] = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
            ids = {name: table[name].to_numpy() for name in ("user_id", "post_id", "creator_id")}
            return Observed(flat.reshape(len(table), len(names)), table["slate"].to_numpy(), ids)
    raise EmptyWindowError(f"nothing was served from {window} with the {len(names)} features of the champion")


def _effective(ids: NDArray[np.int64]) -> int:
    counts = np.unique(ids, return_counts=True)[1].astype(np.float64)
    return max(1, round(float(counts.sum() ** 2 / (counts**2).sum()))) if len(ids) else 1


def _settled_seconds(contract: ModelContract, counting_since: datetime | None) -> float:
    """How long counting had gone on when YOUNG_SHARE of the training set was collected."""
    if counting_since is None:
        return 0.0
    start = max(contract.trained_from, counting_since)
    return (start + YOUNG_SHARE * (contract.trained_until - start) - counting_since) / timedelta(seconds=1)


def _window_seconds(feature: RankingFeature, reads: Sequence[str], manifest: FeatureManifest) -> float:
    """How long a feature grows in a new deployment, 0 if it does not.

    A counter grows for its window, which is its half-life. One that never decays, and the age of posts, are given the
    longest window of the others.
    """
    windows = {f"{view.name}__{field}": s for view in manifest.views for field, s in view.half_lives.items()}
    longest = max((seconds for seconds in windows.values() if np.isfinite(seconds)), default=0.0)
    own = [min(windows[column], longest) for column in reads if column in windows]
    return max(own, default=longest if isinstance(feature.of, Age) else 0.0)


_SERVED = f"""
select features, user_id, post_id, creator_id, dense_rank() over (order by slate_id, user_id) as slate from (
    select * from served where served_at >= $first and served_at < $end and feature_names = $names
) using sample reservoir({MAX_ROWS} rows) repeatable (7)
"""  # noqa: S608  a constant
