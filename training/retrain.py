"""Retraining for a scheduler: dataset → train → register → challenger → gates → champion (optional)."""

import time
from dataclasses import dataclass
from enum import Enum

from photofeed import database
from photofeed.errors import InvalidError, PhotofeedError, RetryableError
from photofeed.features.ranking import PROGRAM
from photofeed.models.alias_moves import RETRAINED, set_challenger
from photofeed.models.history import BusyError, only_one
from photofeed.models.registry import ModelRegistry
from photofeed.settings import Settings
from training.data.sources import Sources
from training.data.window import Window
from training.errors import EmptyWindowError, OneClassError, TooFewSlatesError
from training.evaluation.champion import champion_program
from training.evaluation.evaluate import MODEL
from training.pipeline import NULL_OBSERVER, Observer, train_and_register
from training.promotion.gate_file import load_gates
from training.promotion.promote import promote
from training.ranker.parameters import DEFAULTS, TrainingParameters


class Outcome(Enum):
    """The outcome of a retraining, with its exit code for a scheduler."""

    PROMOTED = "promoted", 0
    CHALLENGER = "challenger", 0  # passed the gates; promotion was not requested
    FAILED = "failed", 1
    REFUSED = "refused", 3  # failed the gates: it stays challenger, and the champion does not change
    NOTHING_TO_LEARN = "nothing_to_learn", 4
    TRY_AGAIN = "try_again", 75  # a system is down, or another retraining is running; EX_TEMPFAIL of sysexits.h

    def __init__(self, label: str, exit_code: int) -> None:
        self.label = label
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Retraining:
    """The result of a retraining. Fields of stages that were not reached are empty."""

    outcome: Outcome
    seconds: float
    reason: str = ""
    version: str = ""
    run_id: str = ""
    champion: str = ""
    ndcg_10: float | None = None
    failed_gates: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """The result as JSON for a scheduler."""
        return {
            "outcome": self.outcome.label,
            "version": self.version or None,
            "runId": self.run_id or None,
            "champion": self.champion or None,
            "ndcg10": self.ndcg_10,
            "failedGates": self.failed_gates,
            "reason": self.reason or None,
            "seconds": round(self.seconds, 1),
        }


def retrain(
    settings: Settings,
    window: Window,
    parameters: TrainingParameters = DEFAULTS,
    *,
    promote_too: bool = False,
    observer: Observer = NULL_OBSERVER,
) -> Retraining:
    """Train on `window`. The new version becomes challenger, and with `promote_too` champion if it passes the gates.

    It learns from the features of the champion, so that a retraining does not undo the choice of features.
    Only one retraining of a model runs at a time, on any machine. Expected failures are outcomes, not exceptions.
    """
    start = time.monotonic()
    try:
        load_gates(settings.gates_file)
    except InvalidError as error:  # reported before an hour of training
        return Retraining(Outcome.FAILED, time.monotonic() - start, str(error))
    try:
        with only_one(settings, database.RETRAINING, settings.model_name, "a retraining"):
            return _retrain(settings, window, parameters, promote_too, observer, start)
    except (RetryableError, BusyError) as error:
        outcome, reason = Outcome.TRY_AGAIN, str(error)
    except (EmptyWindowError, TooFewSlatesError, OneClassError) as error:
        outcome, reason = Outcome.NOTHING_TO_LEARN, str(error)
    except PhotofeedError as error:
        outcome, reason = Outcome.FAILED, str(error)
    return Retraining(outcome, time.monotonic() - start, reason)


def _retrain(
    settings: Settings,
    window: Window,
    parameters: TrainingParameters,
    promote_too: bool,
    observer: Observer,
    start: float,
) -> Retraining:
    observer.stage("feature store")
    with Sources.open(settings) as sources:
        with ModelRegistry.connect(settings) as registry:
            champion = champion_program(registry, settings.state_dir / "models", sources.manifest)
        program = champion or PROGRAM
        trained = train_and_register(settings, sources, window, parameters, observer, program=program)
    observer.stage("gates")
    set_challenger(settings, trained.version)
    promotion = promote(settings, trained.version, now=window.end, why=RETRAINED, move_alias=promote_too)
    not_moved = Outcome.CHALLENGER if promotion.passed else Outcome.REFUSED
    return Retraining(
        Outcome.PROMOTED if promotion.moved else not_moved,
        time.monotonic() - start,
        version=trained.version,
        run_id=trained.run_id,
        champion=(trained.version if promotion.moved else promotion.former) or "",
        ndcg_10=trained.evaluation.rankers[MODEL]["ndcg_10"],
        failed_gates=promotion.failed,
    )
