"""The file that declares the gates: training/gates.toml, or the one that PHOTOFEED_GATES_FILE names."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from photofeed.errors import InvalidError
from training.evidence import Evidence
from training.gates import Finding
from training.gates.against_champion import AgainstChampion
from training.gates.budget import Budget
from training.gates.calibration import Calibration
from training.gates.drift import Drift
from training.gates.exact_scores import ExactScores
from training.gates.features import Features
from training.gates.floor import Floor
from training.gates.freshness import Freshness
from training.gates.judged import Judged

GATES_FILE = Path(__file__).with_name("gates.toml")


class Gates(BaseModel):
    """All gates; a section that is None is not asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    judged: Judged = Judged()
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
        """How many rows are read online and offline."""
        return self.features.skew_rows if self.features else 1

    def check(self, evidence: Evidence) -> list[Finding]:
        """What every gate says, in the order of the file's sections."""
        single = (getattr(self, name) for name in type(self).model_fields if name not in {"judged", "floors"})
        sections = [self.judged, *self.floors, *(section for section in single if section is not None)]
        return [finding for section in sections for finding in section.check(evidence)]


def load_gates(path: Path | None = None) -> Gates:
    """The gates of a file; of training/gates.toml unless another is named.

    Raises:
        InvalidError: it cannot be read, or says something that cannot be; the message names the line or the key.
    """
    file = path or GATES_FILE
    try:
        return Gates.model_validate(tomllib.loads(file.read_text()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidError(f"gates {file}: {error}", code="gates") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise InvalidError(f"gates {file}: {wrong}", code="gates") from error
