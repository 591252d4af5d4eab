import math
from pathlib import Path

import numpy as np
import pytest

from photofeed.errors import InvalidError, NotFoundError
from photofeed.experiments import Arm, Assignment, Experiment, Experiments, load_experiments

FILE = """
shadow = true

[[experiments]]
name = "small"
salt = "a"
arms = [{ name = "control", ranker = "champion", share = 0.05 }, { name = "new", ranker = "challenger", share = 0.05 }]

[[experiments]]
name = "large"
salt = "b"
arms = [{ name = "control", ranker = "champion", share = 0.7 }, { name = "newest", ranker = "recency", share = 0.3 }]
"""


@pytest.fixture
def declared(tmp_path: Path) -> Experiments:
    file = tmp_path / "experiments.toml"
    file.write_text(FILE)
    return load_experiments(file)


def test_people_are_dealt_in_the_declared_shares(declared: Experiments) -> None:
    arms = [declared.named("large").arm_of(user) for user in range(20_000)]
    assert np.mean([arm is not None and arm.name == "newest" for arm in arms]) == pytest.approx(0.3, abs=0.01)
    small = [declared.named("small").arm_of(user) for user in range(20_000)]
    assert np.mean([arm is None for arm in small]) == pytest.approx(0.9, abs=0.01)


def test_a_person_stays_in_their_arm_for_ever() -> None:
    """Pinned: another hash would assign everyone again in the middle of an experiment."""
    arms = (Arm(name="a", ranker="champion", share=0.5), Arm(name="b", ranker="challenger", share=0.5))
    pinned = Experiment(name="pinned", salt="s", arms=arms)
    dealt = [pinned.arm_of(7_000_000_000_000_000_000 + user) for user in range(16)]
    assert "".join(arm.name for arm in dealt if arm) == "aabbbababaaaaaab"


def test_another_salt_deals_anew(declared: Experiments) -> None:
    one = declared.named("large")
    other = one.model_copy(update={"salt": "c"})
    same = np.mean([one.arm_of(user) == other.arm_of(user) for user in range(10_000)])
    assert same == pytest.approx(0.7**2 + 0.3**2, abs=0.02)  # as if by chance


def test_the_first_experiment_with_an_arm_decides(declared: Experiments) -> None:
    assigned = [declared.assignment(user) for user in range(5000)]
    by_small = [user for user in range(5000) if declared.named("small").arm_of(user)]
    assert {user for user, one in enumerate(assigned) if one and one.experiment == "small"} == set(by_small)
    assert all(one is not None for one in assigned)
    assert Experiments().assignment(1) is None
    assert Assignment("large", "newest", "recency") in assigned


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[[experiments]]\nname = 'x'\nsalt = ''\narms = []", "salt"),
        (FILE.replace("share = 0.7", "share = 0.8"), "add up to more than 1"),
        (FILE.replace('"newest"', '"control"'), "two arms have the same name"),
        (FILE.replace('"large"', '"small"'), "two experiments have the same name"),
        (FILE.replace('"recency"', '"astrology"'), "Input should be 'champion'"),
        ("shadow = maybe", "Invalid value"),
    ],
)
def test_what_cannot_be_is_refused_with_the_place(tmp_path: Path, text: str, wrong: str) -> None:
    file = tmp_path / "experiments.toml"
    file.write_text(text)
    with pytest.raises(InvalidError, match="experiments") as refused:
        load_experiments(file)
    assert wrong in str(refused.value)


def test_shares_that_add_up_to_1_except_for_rounding_are_accepted() -> None:
    one_more = math.nextafter(1 / 4, 1)  # the next number: rounding gives it for some sums
    arms = tuple(Arm(name=f"arm-{n}", ranker="champion", share=one_more) for n in range(4))
    assert sum(arm.share for arm in arms) > 1
    Experiment(name="x", salt="a", arms=arms)
    with pytest.raises(ValueError, match="add up to more than 1"):
        Experiment(name="x", salt="a", arms=(*arms, Arm(name="more", ranker="champion", share=1e-6)))


def test_an_experiment_that_is_not_declared_is_told_with_those_that_are(declared: Experiments) -> None:
    with pytest.raises(NotFoundError, match="small, large"):
        declared.named("medium")
