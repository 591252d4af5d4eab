"""The files of deploy/ as tests read them."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
OUR_IMAGES = {"photofeed-api": "api", "photofeed-worker": "worker", "photofeed-trainer": "trainer"}
_VARIABLE = re.compile(r"\$\{(\w+)(?::\?[^}]*)?\}")
_OPTIONAL = re.compile(r"\$\{(\w+):-([^}]*)\}")  # with what it is if it is not set
# Longer than any minimum, and none of them a default of the settings.
SECRET = "0123456789abcdef" * 4


@cache
def compose() -> dict[str, Any]:
    """compose.yaml, with YAML's anchors resolved."""
    document: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return document


def services() -> dict[str, dict[str, Any]]:
    """The services of compose.yaml."""
    return dict(compose()["services"])


def our_services() -> dict[str, dict[str, Any]]:
    """Services that run `photofeed`."""
    return {
        name: service
        for name, service in services().items()
        if service["image"] in OUR_IMAGES and "entrypoint" not in service
    }


def environment(service: Mapping[str, Any]) -> dict[str, str]:
    """A service's variables; all secrets have the same value, and what may be left out is left out."""
    given = service.get("environment", {})
    return {name: _VARIABLE.sub(SECRET, _OPTIONAL.sub(r"\2", str(value))) for name, value in given.items()}


def asked_for(text: str) -> set[str]:
    """The variables that a text asks its user for, or takes from them."""
    return {found[1] for pattern in (_VARIABLE, _OPTIONAL) for found in pattern.finditer(text)}


def dockerfile() -> dict[str, list[tuple[str, str]]]:
    """Stage -> its instructions and their arguments; continued lines are joined."""
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text())
    stages: dict[str, list[tuple[str, str]]] = {}
    stage = ""
    for line in text.splitlines():
        instruction, _, argument = line.strip().partition(" ")
        if not instruction or instruction.startswith("#"):
            continue
        if instruction == "FROM":
            stage = argument.rpartition(" AS ")[2]
            stages[stage] = []
        stages.setdefault(stage, []).append((instruction, argument.strip()))
    return stages


def with_base(stage: str) -> Iterator[tuple[str, str]]:
    """The instructions of a stage and of the stages that it is built from, first to last."""
    stages = dockerfile()
    base = stages[stage][0][1].split()[0]
    if base in stages:
        yield from with_base(base)
    yield from stages[stage][1:]


def image_variables(stage: str) -> dict[str, str]:
    """The variables that an image sets."""
    pairs = [pair for kind, argument in with_base(stage) if kind == "ENV" for pair in argument.split()]
    return dict(pair.split("=", 1) for pair in pairs)
