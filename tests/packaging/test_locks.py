import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROLES = ("serving", "ingestion", "training")
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ]+)( ; [^\\]+)? \\$", flags=re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    return {name: version for name, version, _ in PIN.findall((ROOT / lock).read_text())}


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=! ]", requirement, maxsplit=1)[0] for requirement in requirements}


def declared() -> list[str]:
    extras = PROJECT["project"]["optional-dependencies"].values()
    return [*PROJECT["project"]["dependencies"], *(requirement for extra in extras for requirement in extra)]


def test_versions_are_ranges_in_the_project_and_exact_in_the_lock() -> None:
    assert [requirement for requirement in declared() if "==" in requirement.partition(";")[0]] == []
    assert names(declared()) - pins("requirements.lock").keys() == set()


@pytest.mark.parametrize("role", ROLES)
def test_a_role_installs_what_it_declares_at_the_locked_versions(role: str) -> None:
    locked = pins(f"requirements/{role}.lock")
    assert names(PROJECT["dependency-groups"][role]) - locked.keys() == set()
    assert locked.items() - pins("requirements.lock").items() == set()


@pytest.mark.parametrize("role", ["serving", "ingestion"])
def test_no_other_role_installs_what_only_training_needs(role: str) -> None:
    training = {"mlflow", "evidently", "scikit-image", "optuna", "distributed", "jupyterlab", "pytest"}
    assert training - pins("requirements.lock").keys() == set()
    assert training & pins(f"requirements/{role}.lock").keys() == set()


@pytest.mark.parametrize("lock", ["requirements.lock", *(f"requirements/{role}.lock" for role in ROLES)])
def test_every_pin_has_hashes_and_no_lock_names_a_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert len(PIN.findall(text)) == len(re.findall(r"^\S+==", text, flags=re.MULTILINE)) > 50
    for entry in re.split(r"\n(?=\S)", text):
        assert "--hash=sha256:" in entry
    assert "://" not in text
