"""The documents agree with the code: what they name is there, with the values they state."""

import re
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from typer.main import get_command_name
from typer.models import CommandInfo

from photofeed.settings import Settings
from serving.feed.source_table import Source
from tools.prose.check import CHANGELOG, check, documents
from tools.prose.documents import Document, Kind

ROOT = Path(__file__).parents[3]
DOCUMENTS = [document for document in documents(ROOT) if document.path != CHANGELOG]
COMMAND = re.compile(r"^(?:\w+=\S+ )?photofeed ([a-z]+)(?: ([a-z]+))?", re.MULTILINE)
VARIABLE = re.compile(r"PHOTOFEED_([A-Z_]+[A-Z])(?:=([\w.]+))?")
NO_SETTING = {"STATE_DIR"}  # read before the settings
FEWEST_DOCUMENTS, FEWEST_NAMES = 25, 10
LEAST_STATED_SHARE = 0.01


def test_no_document_has_a_fault() -> None:
    assert [str(finding) for finding in check(ROOT)] == []


def test_all_documents_are_checked() -> None:
    assert len(DOCUMENTS) > FEWEST_DOCUMENTS
    assert {"README.md", "CONTRIBUTING.md", "docs/glossary.md"} <= {document.path for document in DOCUMENTS}


def code(document: Document) -> Iterator[str]:
    yield from (span for _, span in document.code_spans())
    yield document.text(Kind.CODE)


def named(pattern: re.Pattern[str]) -> set[tuple[str, str, str]]:
    """(document, first group, second group) of every match in code."""
    return {
        (document.path, found[1], found[2] or "")
        for document in DOCUMENTS
        for text in code(document)
        for found in pattern.finditer(text)
    }


def commands() -> dict[str, set[str]]:
    """Each command of `photofeed` with the commands below it; none below a plain command."""
    known: dict[str, set[str]] = {}
    for entry in entry_points(group="photofeed.commands"):
        service = entry.load()
        for command in service.registered_commands:
            known[name_of(command)] = set()
        for group in service.registered_groups:
            known.setdefault(group.name, set()).update(map(name_of, group.typer_instance.registered_commands))
    return known


def name_of(command: CommandInfo) -> str:
    return command.name or get_command_name(command.callback.__name__ if command.callback else "")


def test_commands_exist() -> None:
    found, known = named(COMMAND), commands()
    assert len(found) > FEWEST_NAMES
    assert {name for _, name, _ in found} <= known.keys()
    assert {(name, below) for _, name, below in found if below and known[name] and below not in known[name]} == set()


def test_settings_exist_with_the_stated_defaults() -> None:
    found = named(VARIABLE)
    assert len(found) > FEWEST_NAMES
    assert {name for _, name, _ in found} - NO_SETTING <= {name.upper() for name in Settings.model_fields}
    stated = {(name, value) for path, name, value in found if path == "README.md" and value}
    assert stated
    for name, value in stated:
        assert str(Settings.model_fields[name.lower()].default) == value, name


def test_at_least_16_behaviours_are_found_by_file_name() -> None:
    document = next(document for document in DOCUMENTS if document.path == "CONTRIBUTING.md")
    begin = document.lines.index("## Where is ...?")
    rows = [line for line in document.lines[begin:] if re.match(r"\| .*\? \|", line)]
    assert len(rows) >= 16
    assert all(re.search(r"\]\(\w+/", row) for row in rows)


def test_the_readme_states_the_shares_of_the_pools() -> None:
    readme = " ".join((ROOT / "README.md").read_text().split())
    shares = {source.pool.replace("_", " "): source.share for source in Source if source.is_explore}
    stated = {pool: share for pool, share in shares.items() if share and share >= LEAST_STATED_SHARE}
    assert len(stated) > 1
    assert ", ".join(f"{pool} {share:.0%}".replace("%", " %") for pool, share in stated.items()) in readme


@pytest.mark.parametrize("word", ["place", "ladder", "anew", "whom", "told"])
def test_the_glossary_replaces_the_words_that_earlier_texts_used(word: str) -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text()
    assert re.search(rf"^\| {word} \|", glossary, re.MULTILINE)
