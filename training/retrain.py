"""Retraining for a scheduler: dataset → train → register → challenger → gates → champion, if that is asked for."""

import time
from dataclasses import dataclass
from enum import Enum

from photofeed import database
from photofeed.errors import InvalidError, PhotofeedError, RetryableError
from photofeed.model_history import BusyError, only_one
from photofeed.settings import Settings
from training.errors import EmptyWindowError, OneClassError, TooFewSlatesError
from training.evaluate import MODEL
from training.gate_file import load_gates
from training.parameters import DEFAULTS, TrainingParameters
from training.pipeline import UNOBSERVED, Observer, train_and_register
from training.promote import RETRAINED, challenge, promote
from training.sources import Sources
from training.window import Window


class Outcome(Enum):
    """How a retraining ended, and the exit code that tells a scheduler."""

    PROMOTED = "promoted", 0
    CHALLENGER = "challenger", 0  # passed the gates; nobody asked for its promotion
    FAILED = "failed", 1
    REFUSED = "refused", 3  # by the gates: it stays challenger, the champion who it was
    NOTHING_TO_LEARN = "nothing_to_learn", 4
    TRY_AGAIN = "try_again", 75  # a system is away, or another retraining is going on; EX_TEMPFAIL of sysexits.h

    def __init__(self, word: str, exit_code: int) -> None:
        self.word = word
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Retraining:
    """What came of it; what was not reached is empty."""

    outcome: Outcome
    seconds: float
    reason: str = ""
    version: str = ""
    run_id: str = ""
    champion: str = ""
    ndcg_10: float | None = None
    failed_gates: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """The line a scheduler keeps."""
        return {
            "outcome": self.outcome.word,
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
    observer: Observer = UNOBSERVED,
) -> Retraining:
    """Train on `window`; the new version is challenger, and champion if it is asked for and passes the gates.

    Only one retraining of a model runs at a time, on whatever machine. Expected failures are outcomes, not exceptions.
    """
    began = time.monotonic()
    try:
        load_gates(settings.gates_file)
    except InvalidError as error:  # found before an hour of training
        return Retraining(Outcome.FAILED, time.monotonic() - began, str(error))
    try:
        with only_one(settings, database.RETRAINING, settings.model_name, "a retraining"):
            return _retrain(settings, window, parameters, promote_too, observer, began)
    except (RetryableError, BusyError) as error:
        outcome, reason = Outcome.TRY_AGAIN, str(error)
    except (EmptyWindowError, TooFewSlatesError, OneClassError) as error:
        outcome, reason = Outcome.NOTHING_TO_LEARN, str(error)
    except PhotofeedError as error:
        outcome, reason = Outcome.FAILED, str(error)
    return Retraining(outcome, time.monotonic() - began, reason)


def _retrain(
    settings: Settings,
    window: Window,
    parameters: TrainingParameters,
    promote_too: bool,
    observer: Observer,
    began: float,
) -> Retraining:
    observer.stage("feature store")
    with Sources.open(settings) as sources:
        trained = train_and_register(settings, sources, window, parameters, observer)
    observer.stage("gates")
    challenge(settings, trained.version)
    promotion = promote(settings, trained.version, now=window.end, why=RETRAINED, moves=promote_too)
    kept = Outcome.CHALLENGER if promotion.passed else Outcome.REFUSED
    return Retraining(
        Outcome.PROMOTED if promotion.moved else kept,
        time.monotonic() - began,
        version=trained.version,
        run_id=trained.run_id,
        champion=(trained.version if promotion.moved else promotion.former) or "",
        ndcg_10=trained.evaluation.rankers[MODEL]["ndcg_10"],
        failed_gates=promotion.failed,
    )
