"""The file that declares the gates: training/promotion/gates.toml, or the value of PHOTOFEED_GATES_FILE."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from photofeed.errors import InvalidError
from training.promotion.evidence import Evidence
from training.promotion.gates import Finding
from training.promotion.gates.against_champion import AgainstChampion
from training.promotion.gates.budget import Budget
from training.promotion.gates.calibration import Calibration
from training.promotion.gates.drift import Drift
from training.promotion.gates.evaluation_window import EvaluationWindow
from training.promotion.gates.exact_scores import ExactScores
from training.promotion.gates.features import Features
from training.promotion.gates.floor import Floor
from training.promotion.gates.freshness import Freshness

GATES_FILE = Path(__file__).with_name("gates.toml")


class Gates(BaseModel):
    """All gates. A section that is None is not checked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    evaluation_window: EvaluationWindow = EvaluationWindow()
    floors: tuple[Floor, ...] = ()
    against_champion: AgainstChampion | None = None
    calibration: Calibration | None = None
    exact_scores: ExactScores | None = None
    budget: Budget | None = None
    features: Features | None = None
    drift: Drift | None = None
    freshness: Freshness | None = None

    @property
    def skew_rows(self) -> int:
        """The number of rows that are read online and joined offline."""
        return self.features.skew_rows if self.features else 1

    def check(self, evidence: Evidence) -> list[Finding]:
        """The findings of every gate, in the order of the fields of this class."""
        single = (
            getattr(self, name) for name in type(self).model_fields if name not in {"evaluation_window", "floors"}
        )
        sections = [self.evaluation_window, *self.floors, *(section for section in single if section is not None)]
        return [finding for section in sections for finding in section.check(evidence)]


def load_drift_gate(path: Path | None = None) -> Drift:
    """The section `drift` of a file, or that of training/promotion/gates.toml if the file does not check drift.

    Raises:
        InvalidError: see `load_gates`.
    """
    drift = load_gates(path).drift or load_gates().drift
    assert drift is not None  # noqa: S101  the shipped file has it
    return drift


def load_gates(path: Path | None = None) -> Gates:
    """The gates of a file. Default: training/promotion/gates.toml.

    Raises:
        InvalidError: the file cannot be read or is invalid; the message names the line or the key.
    """
    file = path or GATES_FILE
    try:
        return Gates.model_validate(tomllib.loads(file.read_text()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidError(f"gates {file}: {error}", code="gates") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise InvalidError(f"gates {file}: {wrong}", code="gates") from error
