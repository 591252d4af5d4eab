"""The attacks of `make attack` name the rows of docs/security.md that they try."""

import re
from pathlib import Path

import tools.attack.callers
import tools.attack.content  # noqa: F401  both add their attacks
from tools.attack import ATTACKS

DOCUMENT = Path(__file__).parents[3] / "docs" / "security.md"


def test_every_attack_has_its_row_and_a_name_of_its_own() -> None:
    section = DOCUMENT.read_text().partition("## What holds")[2].partition("## ")[0]
    rows = set(re.findall(r"^\| ([a-z ]+) \|", section, re.MULTILINE)) - {"row"}
    assert {attack.row for attack in ATTACKS} <= rows
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 40
