"""A server follows the aliases of a real MLflow, and refuses models that fail the checks."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import httpx
import lightgbm
import numpy as np
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from photofeed.features.declarations import Function, RankingFeature
from photofeed.features.manifest import FeatureManifest
from photofeed.features.ranking import PROGRAM
from photofeed.models.alias_moves import roll_back
from photofeed.models.contract import ModelContract, ScoredSamples
from photofeed.models.history import OUTSIDE, moves
from photofeed.models.registry import CHALLENGER, CHAMPION, PREVIOUS, ModelRegistry
from serving import model_slot
from serving.model_slot import ModelSlot
from tests.metric_values import metric
from tests.unit.serving.fake_features import READER

if TYPE_CHECKING:
    from tests.integration.conftest import Models

HONOURED_SECONDS = 5.0


def _unknown_function(contract: ModelContract) -> ModelContract:
    tide = RankingFeature(contract.feature_names[0], "context", Function("tide", 2))
    return replace(contract, features=(tide, *PROGRAM.features[1:]))


def _unread_fields(contract: ModelContract) -> ModelContract:
    return replace(contract, manifest=FeatureManifest("feed_ranker_v1", contract.manifest.views[1:]))


def _fewer_features(contract: ModelContract) -> ModelContract:
    fewer = PROGRAM.select(contract.feature_names[:-1])
    return replace(contract, feature_names=fewer.names, features=fewer.features, samples=None)


def _other_names(contract: ModelContract) -> ModelContract:
    return replace(contract, feature_names=contract.feature_names[::-1], features=PROGRAM.features)


def _other_service(contract: ModelContract) -> ModelContract:
    return replace(contract, manifest=FeatureManifest("feed_ranker_v9", contract.manifest.views))


def _own_features(contract: ModelContract) -> ModelContract:
    """The same columns under another program: what a column is called is no business of the model."""
    features = tuple(replace(one, name=f"own_{one.name}") for one in PROGRAM.features)
    return replace(contract, feature_names=tuple(one.name for one in features), features=features)


def _other_features(contract: ModelContract) -> ModelContract:
    return replace(contract, feature_names=(*contract.feature_names[:-1], "phase_of_the_moon"))


def _other_scores(contract: ModelContract) -> ModelContract:
    assert contract.samples is not None
    rows, scores = contract.samples.arrays()
    return replace(contract, samples=ScoredSamples.of(rows, np.nextafter(scores, np.inf)))


def _narrow_samples(contract: ModelContract) -> ModelContract:
    assert contract.samples is not None
    rows, scores = contract.samples.arrays()
    return replace(contract, samples=ScoredSamples.of(rows[:, 1:], scores))


def _other_file(contract: ModelContract) -> ModelContract:
    return replace(contract, model_sha256="0" * 64)


async def _live(slot: ModelSlot) -> str | None:
    await slot.refresh()
    return slot.live.version if slot.live else None


def _refused() -> float:
    return REGISTRY.get_sample_value("photofeed_model_loads_total", {"outcome": "refused"}) or 0.0


def _reason(slot: ModelSlot) -> str | None:
    return slot.reason


def test_an_alias_moved_in_mlflow_is_followed_and_recorded_once(models: "Models") -> None:
    first, second = models.register(seed=1), models.register(seed=2)
    models.point(CHAMPION, first)
    with ModelRegistry.connect(models.settings) as registry:
        slots = [ModelSlot(models.settings, registry, READER) for _ in range(2)]

        async def follow() -> None:
            for slot in slots:
                assert await _live(slot) == first
                slot.start()
            models.point(CHAMPION, second)
            async with asyncio.timeout(HONOURED_SECONDS):
                while {slot.live.version for slot in slots if slot.live} != {second}:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            for slot in slots:
                await slot.stop()

        asyncio.run(follow())
    noted = moves(models.settings, models.settings.model_name)
    assert [(move.former, move.version, move.actor) for move in noted] == [
        (first, second, OUTSIDE),
        (None, first, OUTSIDE),
    ]


def test_a_server_that_has_looked_once_ranks_with_the_champion(models: "Models") -> None:
    version = models.register()
    models.point(CHAMPION, version)

    async def start(slot: ModelSlot) -> str | None:
        slot.start()
        await slot.looked()
        await slot.stop()
        return slot.live.version if slot.live else None

    with ModelRegistry.connect(models.settings) as registry:
        assert asyncio.run(start(ModelSlot(models.settings, registry, READER))) == version


def test_a_server_does_not_wait_long_for_a_registry_that_hangs(
    models: "Models", monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()

    def wait() -> dict[str, str]:
        answered.wait()
        return {}

    async def start(slot: ModelSlot) -> None:
        slot.start()
        await slot.looked()
        assert slot.live is None
        answered.set()
        await slot.stop()

    monkeypatch.setattr(model_slot, "FIRST_LOOK_SECONDS", 0.0)
    with ModelRegistry.connect(models.settings) as registry:
        monkeypatch.setattr(registry, "aliases", wait)
        asyncio.run(start(ModelSlot(models.settings, registry, READER)))


def test_the_previous_champion_stays_loaded_and_a_rollback_loads_nothing(models: "Models") -> None:
    first, second = models.register(seed=1), models.register(seed=2)
    models.point(PREVIOUS, first)
    models.point(CHAMPION, second)
    with ModelRegistry.connect(models.settings) as registry:
        slot = ModelSlot(models.settings, registry, READER)
        assert asyncio.run(_live(slot)) == second
        live, previous = slot.live, slot.previous
        assert previous is not None
        assert previous.version == first
        models.point(PREVIOUS, second)
        models.point(CHAMPION, first)
        assert asyncio.run(_live(slot)) == first
        assert (slot.live, slot.previous) == (previous, live)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_unknown_function, "no function tide version 2"),
        (_unread_fields, "feed_ranker_v1 lacks post_content:posted_at, which post_age_hours is computed from"),
        (_fewer_features, "the model takes 48 features, and its contract has 47"),
        (_other_names, "do not have the names of the columns"),
        (_other_features, "phase_of_the_moon"),
        (_other_scores, "8 of 8 sample rows have other scores than from Booster.predict"),
        (_narrow_samples, "cannot be loaded: ValueError('matrix of shape (8, "),
        (_other_file, "is not the one registered"),
    ],
    ids=["function", "fields", "width", "names", "features", "scores", "samples", "file"],
)
def test_a_model_that_fails_the_checks_is_refused_and_the_current_one_keeps_ranking(
    models: "Models", spoil: Callable[[ModelContract], ModelContract], reason: str
) -> None:
    good, bad = models.register(), models.register(spoil, seed=1)
    models.point(CHAMPION, good)
    before, swapped = _refused(), metric("photofeed_model_loads_total", outcome="swapped")

    async def follow(slot: ModelSlot) -> None:
        assert await _live(slot) == good
        assert metric("photofeed_model_version") == int(good)
        models.point(CHAMPION, bad)
        with capture_logs() as logs:
            assert await _live(slot) == good
            assert await _live(slot) == good  # the metric is set once, not at every poll
        assert metric("photofeed_model_version") == int(good)
        (alarm,) = [entry for entry in logs if entry["log_level"] == "error"]
        assert reason in alarm["error"]
        assert REGISTRY.get_sample_value("photofeed_model_refused_version") == int(bad)
        models.point(CHAMPION, good)
        assert await _live(slot) == good
        assert REGISTRY.get_sample_value("photofeed_model_refused_version") == 0

    with ModelRegistry.connect(models.settings) as registry:
        asyncio.run(follow(ModelSlot(models.settings, registry, READER)))
    assert _refused() == before + 1
    assert metric("photofeed_model_loads_total", outcome="swapped") == swapped + 1


@pytest.mark.parametrize("change", [_other_service, _own_features])
def test_models_of_other_features_and_services_are_live_side_by_side(
    models: "Models", change: Callable[[ModelContract], ModelContract]
) -> None:
    first, second = models.register(), models.register(change, seed=1)
    models.point(CHAMPION, first)
    models.point(CHALLENGER, second)
    with ModelRegistry.connect(models.settings) as registry:
        slot = ModelSlot(models.settings, registry, READER)
        assert asyncio.run(_live(slot)) == first
        live, challenger = slot.live, slot.challenger
        assert live
        assert challenger
        assert challenger.version == second
        assert (live.inputs.program, challenger.inputs.program) == (PROGRAM, challenger.contract.program)
        models.point(CHAMPION, second)
        models.point(PREVIOUS, first)
        assert asyncio.run(_live(slot)) == second
        assert slot.previous
        assert slot.previous.version == first


def _plain_lightgbm(models: "Models") -> str:
    """A version that a notebook logged by MLflow's own means."""
    import mlflow.lightgbm

    rows = np.random.default_rng(0).normal(size=(100, 3))
    booster = lightgbm.train({"verbosity": -1, "num_threads": 1}, lightgbm.Dataset(rows, rows[:, 0]), 2)
    mlflow.set_experiment("Default")
    with mlflow.start_run() as run:
        info = mlflow.lightgbm.log_model(booster, name="model", pip_requirements=["lightgbm"])
    version: str = models.client.create_model_version(
        models.settings.model_name, info.model_uri, run.info.run_id, model_id=info.model_id
    ).version
    return version


def _without_files(models: "Models") -> str:
    run = models.client.create_run(models.client.get_experiment_by_name("Default").experiment_id).info
    version: str = models.client.create_model_version(
        models.settings.model_name, f"{run.artifact_uri}/model", run.run_id
    ).version
    return version


@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")  # the import of mlflow.pyfunc
@pytest.mark.parametrize("register", [_plain_lightgbm, _without_files])
def test_a_version_without_a_contract_is_refused_once_with_the_true_reason(
    models: "Models", register: Callable[["Models"], str]
) -> None:
    first, second, bad = models.register(seed=1), models.register(seed=2), register(models)
    before = _refused()

    async def follow(slot: ModelSlot) -> None:
        for good in (first, second):
            models.point(CHAMPION, good)
            assert await _live(slot) == good
        models.point(CHAMPION, bad)
        with capture_logs() as logs:
            assert await _live(slot) == second
            assert await _live(slot) == second
        (alarm,) = [entry for entry in logs if entry["log_level"] == "error"]
        assert f"version {bad} has no extra_files/contract.json" in alarm["error"]
        assert _reason(slot) == alarm["error"]
        assert REGISTRY.get_sample_value("photofeed_model_refused_version") == int(bad)
        assert roll_back(models.settings) == (bad, second)
        assert await _live(slot) == second
        assert _reason(slot) is None
        assert slot.previous
        assert slot.previous.version == first

    with ModelRegistry.connect(models.settings) as registry:
        asyncio.run(follow(ModelSlot(models.settings, registry, READER)))
    assert _refused() == before + 1


def test_a_champion_deleted_in_mlflow_keeps_ranking_with_an_alarm_until_a_rollback(models: "Models") -> None:
    first, second = models.register(seed=1), models.register(seed=2)

    async def follow(slot: ModelSlot) -> None:
        for good in (first, second):
            models.point(CHAMPION, good)
            assert await _live(slot) == good
        models.client.delete_model_version(models.settings.model_name, second)
        with capture_logs() as logs:
            assert await _live(slot) == second
            assert await _live(slot) == second
        assert len([entry for entry in logs if entry["log_level"] == "error"]) == 1
        assert REGISTRY.get_sample_value("photofeed_model_unregistered") == 1
        assert "photofeed rollback" in str(_reason(slot))
        assert roll_back(models.settings) == (None, first)
        assert await _live(slot) == first
        assert REGISTRY.get_sample_value("photofeed_model_unregistered") == 0
        assert _reason(slot) is None

    with ModelRegistry.connect(models.settings) as registry:
        asyncio.run(follow(ModelSlot(models.settings, registry, READER)))


def test_a_challenger_that_is_refused_does_not_leave_its_arm_to_the_one_before(models: "Models") -> None:
    good, bad = models.register(), models.register(_unknown_function, seed=1)
    models.point(CHALLENGER, good)
    with ModelRegistry.connect(models.settings) as registry:
        slot = ModelSlot(models.settings, registry, READER)
        asyncio.run(slot.refresh())
        assert slot.challenger is not None
        models.point(CHALLENGER, bad)
        before = _refused()
        for _ in range(3):  # it is not loaded again at every poll
            asyncio.run(slot.refresh())
            assert slot.challenger is None
        assert _refused() == before + 1


def test_the_follower_survives_anything_and_the_metric_shows_the_last_success(models: "Models") -> None:
    version = models.register()
    models.point(CHAMPION, version)

    class Broken:
        """A registry that fails in a way nobody expected."""

        def aliases(self) -> dict[str, str]:
            broken.set()
            raise RuntimeError("what is this?")

    broken = threading.Event()

    async def follow(slot: ModelSlot, registry: ModelRegistry) -> None:
        slot._registry = cast("ModelRegistry", Broken())
        slot.start()
        await asyncio.to_thread(broken.wait, HONOURED_SECONDS)
        before = REGISTRY.get_sample_value("photofeed_model_poll_success_timestamp_seconds")
        slot._registry = registry
        async with asyncio.timeout(HONOURED_SECONDS):
            while slot.live is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await slot.stop()
        after = REGISTRY.get_sample_value("photofeed_model_poll_success_timestamp_seconds")
        assert before is not None
        assert after is not None
        assert after > before

    with ModelRegistry.connect(models.settings) as registry:
        asyncio.run(follow(ModelSlot(models.settings, registry, READER), registry))


def test_a_text_that_is_not_a_model_is_refused(models: "Models") -> None:
    models.point(CHAMPION, models.register(text="tree\nversion=v4\n"))
    with ModelRegistry.connect(models.settings) as registry, capture_logs() as logs:
        assert asyncio.run(_live(ModelSlot(models.settings, registry, READER))) is None
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == [
        "model refused; the current one keeps ranking"
    ]


def test_a_version_that_could_not_be_stored_is_loaded_when_it_can(models: "Models", tmp_path: Path) -> None:
    models.point(CHAMPION, models.register())
    settings = models.settings.model_copy(update={"state_dir": tmp_path})
    in_the_way = tmp_path / "models"
    in_the_way.touch()
    with ModelRegistry.connect(settings) as registry:
        slot, before = ModelSlot(settings, registry, READER), _refused()
        assert asyncio.run(_live(slot)) is None
        assert "cannot be stored on this machine" in str(slot.reason)
        in_the_way.unlink()
        assert asyncio.run(_live(slot)) == "1"
        assert slot.reason is None
        assert _refused() == before


def test_without_mlflow_the_live_model_stays(models: "Models") -> None:
    models.point(CHAMPION, models.register())
    nowhere = models.settings.model_copy(update={"mlflow_tracking_uri": "http://127.0.0.1:9"})
    with ModelRegistry.connect(models.settings) as registry, ModelRegistry.connect(nowhere) as down:
        slot = ModelSlot(models.settings, registry, READER)

        async def follow() -> None:
            assert await _live(slot) == "1"
            slot._registry = down
            assert await _live(slot) == "1"

        asyncio.run(follow())


def test_nonsense_from_mlflow_changes_nothing_and_polling_continues(models: "Models") -> None:
    models.point(CHAMPION, models.register())
    page = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>Please log in</html>"))
    stranger = httpx.Client(transport=page, base_url="http://stranger")
    with ModelRegistry.connect(models.settings) as registry, stranger:
        slot = ModelSlot(models.settings, registry, READER)

        async def follow() -> None:
            assert await _live(slot) == "1"
            slot._registry = ModelRegistry(stranger, models.settings.model_name)
            assert await _live(slot) == "1"
            slot._registry = registry
            models.point(CHAMPION, models.register(seed=1))
            assert await _live(slot) == "2"

        asyncio.run(follow())
