"""`make prose` reports what a reader would stumble over: long lines, replaced words, references to nothing."""

from pathlib import Path

import pytest

from tools.prose.check import check, main
from tools.prose.glossary import GlossaryError

GLOSSARY = """# Glossary

A place for words.

## Replaced words

| instead of | write | allowed in |
| --- | --- | --- |
| place | position | in place, takes place |
| let go | release | |
| one's | the user's | |
"""
INDEX = "# Decisions\n\n| 1 | [Do this](0001-do-this.md) | 2026-01-02 | accepted |\n"
DECISION = "# 1. Do this\n\n- Status: accepted\n- Date: 2026-01-02\n\n**Context.** A fact.\n"


class Repository:
    """A small repository on disk, without faults until a test writes some."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("Makefile", "demo: ## run it\n")
        self.write("docs/glossary.md", GLOSSARY.replace("A place for words.", "Words."))
        self.write("docs/decisions/README.md", INDEX)
        self.write("docs/decisions/0001-do-this.md", DECISION)
        self.write("README.md", "# Name\n")

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def findings(self, text: str, path: str = "README.md") -> list[str]:
        self.write(path, text)
        return [f"{finding.line}: {finding.message}" for finding in check(self.root)]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_a_repository_without_faults_passes(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(repository.root) == 0
    assert capsys.readouterr().out == ""


def test_a_fault_is_printed_with_file_and_line_and_fails(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.write("docs/how-to.md", "# How\n\nTake its place.\n")
    assert main(repository.root) == 1
    assert capsys.readouterr().out == 'docs/how-to.md:3: "place": write position\n'


@pytest.mark.parametrize("path", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs/a/b.md"])
def test_each_document_is_checked(repository: Repository, path: str) -> None:
    assert repository.findings("its place\n", path) == ['1: "place": write position']


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Its place.", 1),
        ("PLACE is a word", 1),
        ("first\nsecond\nits **place**", 3),
        ("We let\ngo of it.", 1),
        ("It is one\u2019s own.", 1),
        ("| a place |", 1),
        ("It takes place, and has a place.", 1),
    ],
)
def test_replaced_words_are_found(repository: Repository, text: str, line: int) -> None:
    assert [finding.partition(":")[0] for finding in repository.findings(text)] == [str(line)]


@pytest.mark.parametrize(
    "text",
    [
        "It swaps in place.",
        "It takes\nplace today.",
        "Replaced, placeholder, in-place.",
        "The file `place.py` has `place`.",
        "```\nplace\n```",
        "[link](https://example.org/place)",
    ],
)
def test_allowed_phrases_code_and_addresses_are_no_faults(repository: Repository, text: str) -> None:
    repository.write("place.py", "")
    assert repository.findings(text) == []


def test_the_glossary_is_checked_above_its_own_table(repository: Repository) -> None:
    assert repository.findings(GLOSSARY, "docs/glossary.md") == ['3: "place": write position']


@pytest.mark.parametrize(
    "text",
    [
        "# Glossary\n",
        GLOSSARY.replace("| allowed in |", "| except |"),
        GLOSSARY.replace("| let go | release | |", "| x |"),
    ],
)
def test_a_glossary_that_cannot_be_read_is_an_error(
    repository: Repository, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.write("docs/glossary.md", text)
    with pytest.raises(GlossaryError):
        check(repository.root)
    assert main(repository.root) == 2
    assert "docs/glossary.md" in capsys.readouterr().err


def test_prose_has_at_most_100_columns(repository: Repository) -> None:
    assert repository.findings("a" * 100) == []
    assert repository.findings("ok\n" + "a" * 101) == ["2: 101 columns: break the line at 100"]


@pytest.mark.parametrize(
    "text", ["| " + "a" * 120 + " |", "```\n" + "a" * 120 + "\n```", "[a](https://example.org/" + "a" * 100 + ")"]
)
def test_tables_code_and_addresses_may_be_longer(repository: Repository, text: str) -> None:
    assert repository.findings(text) == []


def test_the_readme_has_at_most_160_lines(repository: Repository) -> None:
    assert repository.findings("a\n" * 160) == []
    assert repository.findings("a\n" * 161) == ["161: 161 lines: at most 160 are allowed"]
    repository.write("README.md", "# Name\n")
    assert repository.findings("a\n" * 161, "docs/long.md") == []


@pytest.mark.parametrize("target", ["missing.md", "docs/missing.md", "docs/glossary.md#nothing", "#nothing"])
def test_links_to_nothing_are_found(repository: Repository, target: str) -> None:
    (finding,) = repository.findings(f"# Name\n\n[a]({target})")
    assert finding.startswith(f"3: the link {target} leads to no ")


@pytest.mark.parametrize(
    "target", ["docs/glossary.md#replaced-words", "#a-name-and-more", "docs", "https://example.org"]
)
def test_links_that_resolve_are_no_faults(repository: Repository, target: str) -> None:
    assert repository.findings(f"# A `name`, and more\n\n[a]({target})") == []


def test_links_start_from_the_folder_of_the_document(repository: Repository) -> None:
    assert repository.findings("[a](../README.md) [b](glossary.md)", "docs/a.md") == []
    assert repository.findings("[a](README.md)", "docs/a.md") == ["1: the link README.md leads to no file"]


@pytest.mark.parametrize(
    "text", ["See `docs/missing.py`.", "See `missing.py`.", "```\nrun docs/missing.py\n```", "See `docs/*.rst`."]
)
def test_files_that_do_not_exist_are_found(repository: Repository, text: str) -> None:
    (finding,) = repository.findings(text)
    assert "there is no docs/" in finding or "no file of the repository is named missing.py" in finding


@pytest.mark.parametrize(
    "text", ["`docs/glossary.md`", "`docs/`", "`docs/*.md`", "`code.py`", "`/v1/photos/{id}`", "`image/jpeg`"]
)
def test_files_that_exist_and_other_code_are_no_faults(repository: Repository, text: str) -> None:
    repository.write("docs/code.py", "")
    assert repository.findings(text) == []


def test_what_is_built_may_be_there_in_part(repository: Repository) -> None:
    repository.write("build/other.txt", "")
    assert repository.findings("`build/site/index.html`") == []


def test_the_changelog_may_name_files_that_are_gone(repository: Repository) -> None:
    assert repository.findings("`docs/missing.py`", "CHANGELOG.md") == []


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ("LENGTH = 4", "1: LENGTH is 3, not 4"),
        ("KEPT = 600", "1: KEPT is 10 * 60, not 600"),
        ("OTHER = 1", "1: no file linked in this line assigns OTHER"),
    ],
)
def test_constants_with_another_value_are_found(repository: Repository, stated: str, message: str) -> None:
    repository.write("docs/code.py", "LENGTH = 3\nKEPT: int = 10 * 60\n")
    assert repository.findings(f"| [a](docs/code.py) | `{stated}` |") == [message]


def test_constants_with_their_value_are_no_faults(repository: Repository) -> None:
    repository.write("docs/code.py", "LENGTH, DEPTH = 3, 4\nKEPT: int = 10 * 60\n")
    row = "| [a](docs/code.py) | `LENGTH = 3`, `DEPTH = 4`, `KEPT = 10*60` |"
    assert repository.findings(f"{row}\n\n`LENGTH = 5` without a link") == []


@pytest.mark.parametrize("text", ["Run `make bench`.", "```\nmake bench A=1\n```"])
def test_make_targets_that_do_not_exist_are_found(repository: Repository, text: str) -> None:
    (finding,) = repository.findings(text)
    assert finding.endswith("the Makefile has no target bench")


def test_make_targets_that_exist_are_no_faults(repository: Repository) -> None:
    block = "```\nB=2 make demo  # make it\n```"
    assert repository.findings(f"Run `make demo A=1` or `make`; they make sense.\n{block}") == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (DECISION.replace("- Status: accepted\n", ""), "needs a line `- Status: accepted`"),
        (DECISION.replace("accepted", "maybe"), "needs a line `- Status: accepted`"),
        (DECISION.replace("2026-01-02", "yesterday"), "needs a line `- Date: YYYY-MM-DD`"),
        (DECISION.replace("# 1. Do this", "# Do this"), "a decision begins with"),
        (DECISION.replace("# 1.", "# 2."), "the title has number 2, the file name another"),
        (DECISION.replace("Do this", "Do that"), "lacks the row: | 1 | [Do that]"),
        (DECISION.replace("2026-01-02", "2026-01-03"), "lacks the row: | 1 | [Do this](0001-do-this.md) | 2026-01-03"),
        (DECISION + "a\n" * 40, "46 lines: a decision has at most 45"),
    ],
)
def test_decisions_have_number_status_date_and_a_row_in_the_index(
    repository: Repository, wrong: str, message: str
) -> None:
    assert any(message in finding for finding in repository.findings(wrong, "docs/decisions/0001-do-this.md"))
