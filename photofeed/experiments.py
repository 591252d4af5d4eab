"""Experiments on rankers, declared in one file. A salted hash of the person alone determines the arm.

    shadow = true                  # the challenger scores what the champion shows; logged, never shown

    [[experiments]]
    name = "challenger-in-may"
    salt = "k3"                    # another salt assigns people to arms independently
    arms = [
        { name = "control", ranker = "champion", share = 0.5 },
        { name = "treatment", ranker = "challenger", share = 0.5 },
    ]

If the shares add up to less than 1, the other people are in no arm. If a person has arms in several experiments, the
first experiment counts.
"""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from photofeed.errors import InvalidError, NotFoundError

Ranker = Literal["champion", "challenger", "popularity", "recency", "random"]
RANKERS: tuple[str, ...] = get_args(Ranker)

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
ROUNDING = 1e-9


class Arm(BaseModel):
    """A share of the people, and the ranker of their feeds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    ranker: Ranker
    share: Annotated[float, Field(gt=0, le=1)]


class Experiment(BaseModel):
    """Arms to compare; the first is the control."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    salt: Annotated[str, Field(min_length=1)]
    arms: Annotated[tuple[Arm, ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _arms_fit(self) -> Self:
        if len({arm.name for arm in self.arms}) < len(self.arms):
            raise ValueError("two arms have the same name")
        if sum(arm.share for arm in self.arms) > 1 + ROUNDING:
            raise ValueError("the shares of the arms add up to more than 1")
        return self

    def arm_of(self, user_id: int) -> Arm | None:
        """The arm of a person, which never changes; None for people outside the experiment."""
        digest = hashlib.blake2b(f"{self.name}:{self.salt}:{user_id}".encode(), digest_size=8).digest()
        point = int.from_bytes(digest, "big") / 2**64  # uniform in [0, 1)
        for arm in self.arms:
            if point < arm.share:
                return arm
            point -= arm.share
        return None


@dataclass(frozen=True, slots=True)
class Assignment:
    """The experiment, arm and ranker of a slate."""

    experiment: str
    arm: str
    ranker: str


class Experiments(BaseModel):
    """The content of the experiments file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shadow: bool = False
    experiments: tuple[Experiment, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        if len({one.name for one in self.experiments}) < len(self.experiments):
            raise ValueError("two experiments have the same name")
        return self

    def assignment(self, user_id: int) -> Assignment | None:
        """The experiment, arm and ranker of a person's feeds; None if the person is in no arm."""
        for experiment in self.experiments:
            if arm := experiment.arm_of(user_id):
                return Assignment(experiment.name, arm.name, arm.ranker)
        return None

    def named(self, name: str) -> Experiment:
        """The experiment of that name.

        Raises:
            NotFoundError: there is none.
        """
        for experiment in self.experiments:
            if experiment.name == name:
                return experiment
        known = ", ".join(experiment.name for experiment in self.experiments) or "none is declared"
        raise NotFoundError(f"there is no experiment {name!r} (PHOTOFEED_EXPERIMENTS_FILE: {known})")


def load_experiments(file: Path | None) -> Experiments:
    """The experiments of a file; none without a file.

    Raises:
        InvalidError: the file cannot be read or is not valid.
    """
    if file is None:
        return Experiments()
    try:
        return Experiments.model_validate(tomllib.loads(file.read_text()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidError(f"experiments {file}: {error}", code="experiments") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise InvalidError(f"experiments {file}: {wrong}", code="experiments") from error
