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
    """A service's variables; all secrets have the same value."""
    return {name: _VARIABLE.sub(SECRET, str(value)) for name, value in service.get("environment", {}).items()}


def asked_for(text: str) -> set[str]:
    """The variables that a text asks its user for."""
    return {found[1] for found in _VARIABLE.finditer(text)}


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
