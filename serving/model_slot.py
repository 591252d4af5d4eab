"""The model slot: loads the versions of MLflow's aliases in the background and swaps them without a pause."""

import asyncio
import contextlib
from pathlib import Path
from typing import Literal

import anyio.to_thread
import psycopg
import structlog
from prometheus_client import Counter, Gauge

from photofeed.errors import PhotofeedError, RetryableError
from photofeed.models.history import note_outside_moves
from photofeed.models.registry import CHALLENGER, CHAMPION, PREVIOUS, ModelRegistry
from photofeed.models.servable import UnfitModelError, servable_scorer
from photofeed.settings import Settings
from serving.feed.features import FeatureReader
from serving.feed.scorers.fallback_chain import LoadedModel

log = structlog.get_logger(__name__)

LOADS = Counter("photofeed_model_loads", "Attempts to load a model, by outcome", ["outcome"])
LIVE_VERSION = Gauge(
    "photofeed_model_version", "Version of the model that ranks; 0 without a model", multiprocess_mode="livemin"
)
REFUSED_VERSION = Gauge(
    "photofeed_model_refused_version",
    "Version of a champion that could not be fetched or failed the checks; else 0",
    multiprocess_mode="livemax",
)

NO_VERSION = "no version has been promoted yet"
NO_CHAMPION = "the alias champion is gone from the registry; run `photofeed rollback` to set it again"
POLLED = Gauge(
    "photofeed_model_poll_success_timestamp_seconds",
    "Unix time of the last reading of the aliases",
    multiprocess_mode="livemin",
)
UNREGISTERED = Gauge(
    "photofeed_model_unregistered",
    "1 while a model ranks and the alias champion is gone from the registry, else 0",
    multiprocess_mode="livemax",
)


FIRST_LOOK_SECONDS = 15.0


class ModelSlot:
    """Holds the champion, the previous champion and the challenger; a background task polls their aliases.

    A version that cannot be loaded or fails the checks is refused once, with an error log and a metric, and the current
    model keeps ranking.
    """

    def __init__(self, settings: Settings, registry: ModelRegistry, features: FeatureReader) -> None:
        self._settings = settings
        self._registry = registry
        self._features = features
        self._live: LoadedModel | None = None
        self._beside: dict[str, LoadedModel] = {}
        self._refused: str | None = None
        self._refused_why: str | None = None
        self._unregistered = False
        self._unreachable: str | None = None
        self._refused_beside: dict[str, str] = {}
        self._noted: dict[str, str] | None = None
        self._task: asyncio.Task[None] | None = None
        self._looked = asyncio.Event()

    @property
    def live(self) -> LoadedModel | None:
        """The model that ranks now; None before the first is promoted."""
        return self._live

    @property
    def previous(self) -> LoadedModel | None:
        """The previous champion, used if the live model fails; None before a second model is promoted."""
        return self._beside.get(PREVIOUS)

    @property
    def challenger(self) -> LoadedModel | None:
        """The model that experiments and shadow scoring use; None without a challenger."""
        return self._beside.get(CHALLENGER)

    def start(self) -> None:
        """Start polling the aliases. Call it inside the event loop."""
        self._task = asyncio.create_task(self._follow())

    async def looked(self) -> None:
        """Return when the aliases were read, and their models loaded or refused, or after FIRST_LOOK_SECONDS.

        A server that took requests before would rank them without the model that is there.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOK_SECONDS):
                await self._looked.wait()

    async def stop(self) -> None:
        """Stop polling."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @property
    def step(self) -> Literal["model", "previous", "popularity"]:
        """Which ranker of the fallback chain requests begin with."""
        if self._live is not None:
            return "model"
        return "previous" if self.previous is not None else "popularity"

    @property
    def reason(self) -> str | None:
        """Why the registered champion does not rank, for people; None if it does."""
        if self._refused_why is not None:
            return self._refused_why
        if self._live is None:
            return self._unreachable or NO_VERSION
        return NO_CHAMPION if self._unregistered else None

    async def refresh(self) -> None:
        """Read the aliases once, and load the versions that changed."""
        try:
            aliases = await anyio.to_thread.run_sync(self._registry.aliases)
        except RetryableError as error:
            log.warning("model registry does not answer; the live model keeps ranking", error=str(error))
            self._unreachable = str(error)
            return
        self._unreachable = None
        POLLED.set_to_current_time()
        if aliases != self._noted:
            await anyio.to_thread.run_sync(self._note, aliases)
        held = {model.version: model for model in (self._live, *self._beside.values()) if model is not None}
        await self._follow_champion(aliases.get(CHAMPION), held)
        self._watch_registration(aliases.get(CHAMPION))
        for alias in (PREVIOUS, CHALLENGER):
            await self._follow_beside(alias, aliases.get(alias), held)

    def _watch_registration(self, champion: str | None) -> None:
        """Alarm once if the live model has lost its alias: a server that starts now would not find it."""
        live = self._live if champion is None else None
        if live is not None and not self._unregistered:
            log.error(NO_CHAMPION, version=live.version)
        self._unregistered = live is not None
        UNREGISTERED.set(self._unregistered)

    async def _follow_champion(self, version: str | None, held: dict[str, LoadedModel]) -> None:
        if version == self._refused and version is not None:
            return
        if version is None or (self._live and self._live.version == version):
            self._refuse(None)
            return
        try:
            model = await self._model(version, held)
        except RetryableError as error:
            REFUSED_VERSION.set(int(version))  # the next poll tries again
            self._refused_why = str(error)
            log.warning("model not fetched yet", version=version, error=str(error))
        except PhotofeedError as error:
            self._refuse(version, str(error))
            LOADS.labels("refused").inc()
            log.error("model refused; the current one keeps ranking", version=version, error=str(error))
        else:
            self._live = model
            self._refuse(None)
            LOADS.labels("swapped").inc()
            LIVE_VERSION.set(int(version))
            log.info("model live", version=version, engine=model.scorer.engine)

    async def _follow_beside(self, alias: str, version: str | None, held: dict[str, LoadedModel]) -> None:
        """Load the version of an alias besides the champion's. After a promotion `previous` is held already.

        If the version is refused, a former challenger is dropped, because its experiment must not continue with it. A
        former `previous` stays: it is better than no model.
        """
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
            if alias == CHALLENGER:
                self._beside.pop(alias, None)
            LOADS.labels("refused").inc()
            log.error("model refused", alias=alias, version=version, error=str(error))
        else:
            self._beside[alias] = model

    async def _follow(self) -> None:
        while True:
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001  whatever one poll finds, the next one must take place
                log.error("aliases not followed; the live model keeps ranking", error=repr(error))
            self._looked.set()
            await asyncio.sleep(self._settings.model_poll_seconds)

    def _refuse(self, version: str | None, why: str | None = None) -> None:
        """Record the champion that failed the checks, and why; None once it is no longer the champion."""
        self._refused, self._refused_why = version, why
        REFUSED_VERSION.set(int(version or 0))

    def _note(self, aliases: dict[str, str]) -> None:
        """Record in the history if an alias was moved in MLflow itself. Feeds do not depend on the history."""
        try:
            noted = note_outside_moves(self._settings, self._settings.model_name, aliases)
        except psycopg.Error as error:
            log.warning("aliases not recorded yet", error=str(error))
            return
        if noted is not None:
            self._noted = aliases
        if noted:
            log.warning("aliases were moved outside photofeed", aliases=noted)

    async def _model(self, version: str, held: dict[str, LoadedModel]) -> LoadedModel:
        """A version that is held, or is now loaded in a thread.

        Raises:
            RetryableError: it cannot be loaded now; a later poll may succeed.
            PhotofeedError: it must not rank.
        """
        if version in held:
            return held[version]
        try:
            return await anyio.to_thread.run_sync(self._load, version)
        except PhotofeedError:
            raise
        except OSError as error:
            raise RetryableError(f"version {version} cannot be stored on this machine: {error}") from error
        except Exception as error:  # whatever its files contain, polling must continue
            raise UnfitModelError(f"version {version} cannot be loaded: {error!r}") from error

    def _load(self, version: str) -> LoadedModel:
        bundle = self._registry.fetch(version, self._models_folder)
        scorer, contract = servable_scorer(bundle), bundle.contract
        return LoadedModel(version, contract, scorer, self._features.inputs(contract.program, contract.manifest))

    @property
    def _models_folder(self) -> Path:
        return self._settings.state_dir / "models"
