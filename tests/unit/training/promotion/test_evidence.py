"""The evidence of a promotion: which slates it uses, and what happens where a part of it is missing."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from photofeed.errors import NotFoundError
from photofeed.features.manifest import FeatureManifest
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.models.contract import DamagedModelError
from photofeed.models.registry import CHAMPION, ModelBundle
from photofeed.offline_store.tables import ENGAGEMENT
from training.data.dataset import Dataset, Origin
from training.data.sources import Sources
from training.data.window import Window
from training.errors import EmptyWindowError
from training.evaluation.baselines import NAMES
from training.evaluation.evaluate import MODEL
from training.promotion import evidence as module
from training.promotion.evidence import Evidence, gather_evidence, hours_since, newest_slate, seconds_to_score

NOW = datetime(2026, 3, 20, tzinfo=UTC)
DAYS = timedelta(days=1)


@dataclass
class World:
    """A registry with versions of one model text, and slates of which only the window is known."""

    folder: Path
    bundle: ModelBundle
    dataset: Dataset
    manifest: FeatureManifest
    champion: str | None = None
    bundles: dict[str, ModelBundle | Exception] = field(default_factory=dict)
    windows: list[Window] = field(default_factory=list)
    skews: list[tuple[Window, Origin, int]] = field(default_factory=list)
    no_slates: Exception | None = None

    def version(self, number: str, unseen_from: datetime | None, **changes: Any) -> None:
        """Register a version that was trained on slates from before `unseen_from`."""
        contract = replace(self.bundle.contract, unseen_from=unseen_from, **changes)
        self.bundles[number] = replace(self.bundle, contract=contract, version=number)

    def current_version(self, alias: str) -> str | None:
        return self.champion if alias == CHAMPION else None

    def fetch(self, version: str, folder: Path) -> ModelBundle:
        assert folder == self.folder / "models"
        found = self.bundles[self.champion or "" if version == CHAMPION else version]
        if isinstance(found, Exception):
            raise found
        return found

    def build_dataset(self, _: object, window: Window) -> Dataset:
        self.windows.append(window)
        if self.no_slates:
            raise self.no_slates
        return replace(self.dataset, window=window)

    def first_hour(self, table: str) -> datetime | None:
        assert table == ENGAGEMENT
        return NOW - 90 * DAYS

    def impressions(self, _: object, window: Window, origin: Origin) -> tuple[Window, Origin]:
        return window, origin

    def feature_differences(
        self, _settings: object, _sources: object, shown: tuple[Window, Origin], rows: int
    ) -> np.ndarray:
        self.skews.append((*shown, rows))
        return np.zeros((rows, len(FEATURE_NAMES)))

    def gather(self, version: str = "2", *, longest_days: float = 7.0) -> Evidence:
        settings: Any = SimpleNamespace(state_dir=self.folder)
        nothing: Any = None
        logs: Any = self
        sources = Sources(logs, nothing, self.manifest)
        registry: Any = self
        return gather_evidence(settings, sources, registry, version, NOW, longest_days=longest_days, skew_rows=11)


@pytest.fixture
def world(evidence: Evidence, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path, evidence.bundle, dataset, evidence.served_manifest)
    made.version("2", NOW - timedelta(days=1))
    monkeypatch.setattr(module, "build_dataset", made.build_dataset)
    monkeypatch.setattr(module, "impressions", made.impressions)
    monkeypatch.setattr(module, "feature_differences", made.feature_differences)
    return made


@pytest.mark.parametrize(
    ("version_saw", "champion_saw", "start"),
    [
        (3 * DAYS, 2 * DAYS, NOW - 2 * DAYS),  # the champion learned from newer slates
        (2 * DAYS, 3 * DAYS, NOW - 2 * DAYS),  # the version did
        (2 * DAYS, None, NOW - 2 * DAYS),  # there is no champion
        (9 * DAYS, 30 * DAYS, NOW - 7 * DAYS),  # both are older than the longest window
    ],
)
def test_only_slates_that_neither_has_learned_from_are_used(
    world: World, version_saw: timedelta, champion_saw: timedelta | None, start: datetime
) -> None:
    world.version("2", NOW - version_saw)
    if champion_saw is not None:
        world.champion = "1"
        world.version("1", NOW - champion_saw)
    found = world.gather()
    assert world.windows == [Window(start, NOW)]
    assert found.unseen_slates is not None
    assert found.unseen_slates.window == Window(start, NOW)
    assert found.champion == world.champion


def test_a_contract_that_does_not_say_what_is_unseen_counts_its_whole_window_as_seen(world: World) -> None:
    world.version("2", None, trained_until=NOW - 3 * DAYS)
    world.gather()
    assert world.windows == [Window(NOW - 3 * DAYS, NOW)]


def test_version_champion_and_baselines_are_measured_on_the_same_slates(world: World) -> None:
    world.champion = "1"
    world.version("1", NOW - 2 * DAYS)
    found = world.gather()
    assert found.evaluation is not None
    assert set(found.evaluation.rankers) == {MODEL, CHAMPION, *NAMES}
    assert found.evaluation.difference(CHAMPION, "ndcg_10").value == 0  # the same model
    assert found.scorer is not None
    assert found.counting_since == NOW - 90 * DAYS
    assert found.missing == {}


def test_skew_is_measured_on_joined_features_of_the_same_window(world: World) -> None:
    found = world.gather()
    assert world.skews == [(world.windows[0], Origin.JOINED, 11)]
    assert found.skew is not None
    assert found.skew.shape == (11, len(FEATURE_NAMES))


def test_without_unseen_slates_every_reason_says_what_to_do(world: World) -> None:
    world.no_slates = EmptyWindowError("no slate started")
    found = world.gather()
    assert (found.unseen_slates, found.evaluation, found.skew) == (None, None, None)
    assert set(found.missing) == {"unseen_slates", "evaluation", "skew"}
    for reason in found.missing.values():
        assert reason.startswith("no slate started; wait for more engagement")


def test_a_version_that_reads_what_is_not_stored_is_not_measured(
    world: World, make_manifest: Callable[..., FeatureManifest]
) -> None:
    world.manifest = make_manifest("v2")
    assert world.gather().missing == {}
    world.windows.clear()
    world.manifest = make_manifest("v2", lacking="likes_5m")
    found = world.gather()
    assert world.windows == []
    assert found.missing["unseen_slates"] == found.missing["evaluation"]
    assert "v2 lacks post_engagement:likes_5m, which post_likes_5m" in found.missing["evaluation"]


@pytest.mark.parametrize("error", [DamagedModelError("its files differ"), NotFoundError("it is gone")])
def test_a_champion_that_cannot_be_read_leaves_the_version_to_be_measured(world: World, error: Exception) -> None:
    world.champion, world.bundles["1"] = "1", error
    found = world.gather()
    assert world.windows == [Window(NOW - DAYS, NOW)]
    assert found.champion == "1"
    assert found.missing == {"champion": str(error)}
    assert found.evaluation is not None
    assert CHAMPION not in found.evaluation.rankers


def test_a_champion_with_other_features_is_left_out(world: World) -> None:
    world.champion = "1"
    world.version("1", NOW - 2 * DAYS, feature_names=(*FEATURE_NAMES, "phase_of_the_moon"))
    found = world.gather()
    assert "phase_of_the_moon" in found.missing["champion"]
    assert found.evaluation is not None
    assert CHAMPION not in found.evaluation.rankers


def test_a_version_with_other_features_has_no_evaluation(world: World) -> None:
    world.version("2", NOW - DAYS, feature_names=(*FEATURE_NAMES, "phase_of_the_moon"))
    found = world.gather()
    assert found.evaluation is None
    assert "phase_of_the_moon" in found.missing["evaluation"]


def test_a_version_without_tables_has_a_scorer_too(world: World) -> None:
    world.bundles["2"] = replace(world.bundle, version="2", tables_path=None)
    found = world.gather()
    assert found.scorer is not None
    assert found.missing == {}


def test_tables_of_another_model_are_no_scorer(world: World, tmp_path: Path) -> None:
    other = tmp_path / "other.lgb"
    other.write_text(world.bundle.model_path.read_text().replace("leaf_value=0", "leaf_value=1", 1))
    world.bundles["2"] = replace(world.bundle, version="2", model_path=other)
    found = world.gather()
    assert found.scorer is None
    assert found.missing["scorer"]


def test_the_latency_is_the_median_of_warm_runs() -> None:
    class Scorer:
        features = 3
        warmed = False

        def __init__(self) -> None:
            self.shapes: list[tuple[int, ...]] = []

        def warm_up(self) -> None:
            self.warmed = True

        def score(self, matrix: np.ndarray) -> None:
            assert self.warmed
            self.shapes.append(matrix.shape)

    scorer: Any = Scorer()
    assert seconds_to_score(scorer, 40) > 0
    assert set(scorer.shapes) == {(40, 3)}


def test_ages_are_in_hours(dataset: Dataset) -> None:
    assert hours_since(NOW - timedelta(minutes=90), NOW) == 1.5
    assert newest_slate(dataset) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=dataset.slates - 1)
