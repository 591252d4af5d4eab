"""The model slot: champion, previous and challenger as MLflow names them, loaded beside the traffic, swapped whole."""

import asyncio
import contextlib
from pathlib import Path

import anyio.to_thread
import numpy as np
import psycopg
import structlog
from prometheus_client import Counter, Gauge

from photofeed.errors import PermanentError, PhotofeedError, RetryableError
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.model_contract import CHALLENGER, CHAMPION, PREVIOUS, ModelContract, ModelRegistry
from photofeed.model_history import note_outside_moves
from photofeed.online_store.reader import PackedReader
from photofeed.scorer import Scorer, ScoringTables, make_scorer
from photofeed.settings import Settings
from serving.feed.features import FeatureReader
from serving.feed.scorers.ladder import LoadedModel

log = structlog.get_logger(__name__)

LOADS = Counter("photofeed_model_loads", "Attempts to load a model, by outcome", ["outcome"])
LIVE_VERSION = Gauge("photofeed_model_version", "Version of the model that ranks; 0 while there is none")
REFUSED_VERSION = Gauge(
    "photofeed_model_refused_version", "Champion that cannot be fetched or failed the checks; 0 while it ranks"
)


class UnfitModelError(PermanentError):
    """A registered model that this server must not rank with."""

    code = "model_unfit"


class ModelSlot:
    """Holds the live model, the one before it and the challenger; a background task follows their aliases.

    A version that cannot be loaded or does not fit is refused once, loudly, and the model before it keeps ranking.
    """

    def __init__(self, settings: Settings, registry: ModelRegistry) -> None:
        self._settings = settings
        self._registry = registry
        self._live: LoadedModel | None = None
        self._beside: dict[str, LoadedModel] = {}
        self._refused: str | None = None
        self._refused_beside: dict[str, str] = {}
        self._noted: dict[str, str] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def live(self) -> LoadedModel | None:
        """The model that ranks now; None before the first is promoted."""
        return self._live

    @property
    def previous(self) -> LoadedModel | None:
        """The champion before, ready for when the live model fails; None before a second one is promoted."""
        return self._beside.get(PREVIOUS)

    @property
    def challenger(self) -> LoadedModel | None:
        """The model that experiments and shadow scoring ask for; None while nobody is challenger."""
        return self._beside.get(CHALLENGER)

    def start(self) -> None:
        """Begin to follow the alias; call inside the event loop."""
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Follow no longer."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def refresh(self) -> None:
        """Look at the aliases once, and swap what moved."""
        try:
            aliases = await anyio.to_thread.run_sync(self._registry.aliases)
        except RetryableError as error:
            log.warning("model registry does not answer; the live model stays", error=str(error))
            return
        if aliases != self._noted:
            await anyio.to_thread.run_sync(self._note, aliases)
        held = {model.version: model for model in (self._live, *self._beside.values()) if model is not None}
        await self._follow_champion(aliases.get(CHAMPION), held)
        for alias in (PREVIOUS, CHALLENGER):
            await self._follow_beside(alias, aliases.get(alias), held)

    async def _follow_champion(self, version: str | None, held: dict[str, LoadedModel]) -> None:
        if version == self._refused and version is not None:
            return
        if version is None or (self._live and self._live.version == version):
            self._refuse(None)
            return
        try:
            model = await self._model(version, held)
        except RetryableError as error:
            REFUSED_VERSION.set(int(version))  # the alarm for now: it is tried again
            log.warning("model not fetched yet", version=version, error=str(error))
        except PhotofeedError as error:
            self._refuse(version)
            LOADS.labels("refused").inc()
            log.error("model refused; the one before it keeps ranking", version=version, error=str(error))
        else:
            self._live = model
            self._refuse(None)
            LOADS.labels("swapped").inc()
            LIVE_VERSION.set(int(version))
            log.info("model live", version=version, engine=model.scorer.engine)

    async def _follow_beside(self, alias: str, version: str | None, held: dict[str, LoadedModel]) -> None:
        """Keep a model at hand beside the live one; after a promotion, `previous` is what was live until now."""
        if version is None:
            self._beside.pop(alias, None)
            return
        there = self._beside.get(alias)
        if version == self._refused_beside.get(alias) or (there and there.version == version):
            return
        try:
            model = await self._model(version, held)
        except RetryableError as error:
            log.warning("model not fetched yet", alias=alias, version=version, error=str(error))
        except PhotofeedError as error:
            self._refused_beside[alias] = version
            LOADS.labels("refused").inc()
            log.error("model refused", alias=alias, version=version, error=str(error))
        else:
            self._beside[alias] = model

    async def _follow(self) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(self._settings.model_poll_seconds)

    def _refuse(self, version: str | None) -> None:
        """The alarm: the champion that failed the checks, None when it is no longer the champion."""
        self._refused = version
        REFUSED_VERSION.set(int(version or 0))

    def _note(self, aliases: dict[str, str]) -> None:
        """Have it in the history if an alias was moved in MLflow itself; a history out of reach changes no feed."""
        try:
            noted = note_outside_moves(self._settings, self._settings.model_name, aliases)
        except psycopg.Error as error:
            log.warning("aliases not noted yet", error=str(error))
            return
        if noted is not None:
            self._noted = aliases
        if noted:
            log.warning("aliases were moved outside photofeed", aliases=noted)

    async def _model(self, version: str, held: dict[str, LoadedModel]) -> LoadedModel:
        """A version that is at hand, or loaded beside the traffic.

        Raises:
            RetryableError: it cannot be had now.
            PhotofeedError: it must not rank.
        """
        if version in held:
            return held[version]
        try:
            return await anyio.to_thread.run_sync(self._load, version)
        except PhotofeedError:
            raise
        except OSError as error:
            raise RetryableError(f"version {version} cannot be kept here: {error}") from error
        except Exception as error:  # whatever is in its files, aliases are to be followed on
            raise UnfitModelError(f"version {version} cannot be loaded: {error!r}") from error

    def _load(self, version: str) -> LoadedModel:
        bundle = self._registry.fetch(version, self._models_folder)
        contract = bundle.contract
        if contract.feature_service != self._settings.feature_service:
            raise UnfitModelError(
                f"version {version} was trained on {contract.feature_service!r}, "
                f"this server reads {self._settings.feature_service!r}"
            )
        if contract.feature_names != FEATURE_NAMES:
            unknown = sorted(set(contract.feature_names) ^ set(FEATURE_NAMES))
            raise UnfitModelError(f"version {version} wants other features than this server computes: {unknown}")
        tables = ScoringTables.load(bundle.tables_path) if bundle.tables_path else None
        scorer = make_scorer(bundle.model_path.read_text(), tables)
        scorer.warm_up()
        _check_scores(contract, scorer)
        schemas = [view.schema for view in contract.manifest.views]
        reader = PackedReader.from_url(self._settings.redis_url.get_secret_value(), schemas)
        return LoadedModel(version, contract, scorer, FeatureReader(contract.manifest, reader))

    @property
    def _models_folder(self) -> Path:
        return self._settings.state_dir / "models"


def _check_scores(contract: ModelContract, scorer: Scorer) -> None:
    """Refuse a scorer that does not give the contract's samples the very scores that Booster.predict gave them."""
    if contract.samples is None:
        return
    rows, expected = contract.samples.arrays()
    got = scorer.score(np.ascontiguousarray(rows, np.float32))
    if not np.array_equal(got.view(np.int64), expected.view(np.int64)):
        wrong = int((got != expected).sum())
        raise UnfitModelError(f"{wrong} of {len(rows)} sample rows score otherwise than by Booster.predict")
