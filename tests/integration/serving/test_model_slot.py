"""A server follows the aliases of the real MLflow, and refuses what it must not rank with."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from photofeed.model_contract import CHAMPION, PREVIOUS, ModelContract, ModelRegistry, ScoredSamples
from photofeed.model_history import OUTSIDE, moves
from serving.model_slot import ModelSlot

if TYPE_CHECKING:
    from tests.integration.conftest import Models

HONOURED_SECONDS = 5.0


def _other_service(contract: ModelContract) -> ModelContract:
    return replace(contract, manifest=replace(contract.manifest, service="feed_ranker_v9"))


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


def test_an_alias_moved_by_hand_is_honoured_in_time_and_noted_once(models: "Models") -> None:
    first, second = models.register(seed=1), models.register(seed=2)
    models.point(CHAMPION, first)
    with ModelRegistry.connect(models.settings) as registry:
        slots = [ModelSlot(models.settings, registry) for _ in range(2)]

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


def test_the_former_champion_stays_at_hand_and_a_rollback_loads_nothing(models: "Models") -> None:
    first, second = models.register(seed=1), models.register(seed=2)
    models.point(PREVIOUS, first)
    models.point(CHAMPION, second)
    with ModelRegistry.connect(models.settings) as registry:
        slot = ModelSlot(models.settings, registry)
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
        (_other_service, "trained on 'feed_ranker_v9', this server reads 'feed_ranker_v1'"),
        (_other_features, "phase_of_the_moon"),
        (_other_scores, "8 of 8 sample rows score otherwise than by Booster.predict"),
        (_narrow_samples, "cannot be loaded: ValueError('matrix of shape (8, "),
        (_other_file, "is not the one registered"),
    ],
    ids=["service", "features", "scores", "samples", "file"],
)
def test_a_model_that_fails_the_checks_is_refused_alarmed_and_the_old_one_ranks_on(
    models: "Models", spoil: Callable[[ModelContract], ModelContract], reason: str
) -> None:
    good, bad = models.register(), models.register(spoil, seed=1)
    models.point(CHAMPION, good)
    before = REGISTRY.get_sample_value("photofeed_model_loads_total", {"outcome": "refused"}) or 0.0

    async def follow(slot: ModelSlot) -> None:
        assert await _live(slot) == good
        models.point(CHAMPION, bad)
        with capture_logs() as logs:
            assert await _live(slot) == good
            assert await _live(slot) == good  # alarmed once, not at every look
        (alarm,) = [entry for entry in logs if entry["log_level"] == "error"]
        assert reason in alarm["error"]
        assert REGISTRY.get_sample_value("photofeed_model_refused_version") == int(bad)
        models.point(CHAMPION, good)
        assert await _live(slot) == good
        assert REGISTRY.get_sample_value("photofeed_model_refused_version") == 0

    with ModelRegistry.connect(models.settings) as registry:
        asyncio.run(follow(ModelSlot(models.settings, registry)))
    assert REGISTRY.get_sample_value("photofeed_model_loads_total", {"outcome": "refused"}) == before + 1


def test_a_version_without_files_is_alarmed_and_the_old_one_ranks_on(models: "Models") -> None:
    """MLflow answers for it as if its own storage were away, so servers go on trying; somebody must know."""
    good = models.register()
    run = models.client.create_run(models.client.get_experiment_by_name("Default").experiment_id).info
    empty = models.client.create_model_version(models.settings.model_name, f"{run.artifact_uri}/model", run.run_id)
    models.point(CHAMPION, good)

    async def follow(slot: ModelSlot) -> None:
        assert await _live(slot) == good
        models.point(CHAMPION, empty.version)
        assert await _live(slot) == good
        assert REGISTRY.get_sample_value("photofeed_model_refused_version") == int(empty.version)
        models.point(CHAMPION, good)
        assert await _live(slot) == good
        assert REGISTRY.get_sample_value("photofeed_model_refused_version") == 0

    with ModelRegistry.connect(models.settings) as registry:
        asyncio.run(follow(ModelSlot(models.settings, registry)))


def test_a_text_that_is_no_model_is_refused(models: "Models") -> None:
    models.point(CHAMPION, models.register(text="tree\nversion=v4\n"))
    with ModelRegistry.connect(models.settings) as registry, capture_logs() as logs:
        assert asyncio.run(_live(ModelSlot(models.settings, registry))) is None
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == [
        "model refused; the one before it keeps ranking"
    ]


def test_without_mlflow_the_live_model_stays(models: "Models") -> None:
    models.point(CHAMPION, models.register())
    nowhere = models.settings.model_copy(update={"mlflow_tracking_uri": "http://127.0.0.1:9"})
    with ModelRegistry.connect(models.settings) as registry, ModelRegistry.connect(nowhere) as down:
        slot = ModelSlot(models.settings, registry)

        async def follow() -> None:
            assert await _live(slot) == "1"
            slot._registry = down
            assert await _live(slot) == "1"

        asyncio.run(follow())


def test_a_stranger_in_place_of_mlflow_changes_nothing_and_the_aliases_are_followed_on(models: "Models") -> None:
    models.point(CHAMPION, models.register())
    page = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>Please log in</html>"))
    stranger = httpx.Client(transport=page, base_url="http://stranger")
    with ModelRegistry.connect(models.settings) as registry, stranger:
        slot = ModelSlot(models.settings, registry)

        async def follow() -> None:
            assert await _live(slot) == "1"
            slot._registry = ModelRegistry(stranger, models.settings.model_name)
            assert await _live(slot) == "1"
            slot._registry = registry
            models.point(CHAMPION, models.register(seed=1))
            assert await _live(slot) == "2"

        asyncio.run(follow())
