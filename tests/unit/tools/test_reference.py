"""The reference pages: nothing that they list lacks a description, and links leave no reader in the void."""

import json
from pathlib import Path

import pytest

from photofeed.settings import Settings
from tools.reference import api, commands, errors, features, messages, metrics, settings
from tools.reference.site import replaced

ROOT = Path(__file__).parents[3]


def rows(page: str) -> list[list[str]]:
    """The cells of all table rows of a page, without heads."""
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").replace("\\|", "/").split(" | ")] for line in lines]
    heads = {index for index, line in enumerate(cells) if set("".join(line)) <= set("- ")}
    return [line for index, line in enumerate(cells) if not {index, index + 1} & heads]


@pytest.fixture(scope="module")
def document() -> dict[str, object]:
    found: dict[str, object] = json.loads((ROOT / "docs/openapi.json").read_text())
    return found


def test_every_setting_is_described() -> None:
    found = rows(settings.page())
    assert [row[0] for row in found] == [f"`{settings.variable(name)}`" for name in Settings.model_fields]
    assert [row[0] for row in found if not row[3]] == []


def test_no_page_shows_a_secret_that_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOTOFEED_JWT_SECRET", "not-for-pages" * 4)
    assert "not-for-pages" not in settings.page()


def test_every_command_and_option_is_described() -> None:
    page = commands.page()
    assert "## photofeed models history" in page
    assert "## photofeed serve" in page
    undescribed = [line for line in page.split("\n## ") if not line.partition("\n\n")[2].strip()]
    assert undescribed == []
    assert [row for row in rows(page) if not row[2]] == []


def test_every_feature_has_a_unit_and_a_meaning() -> None:
    found = rows(features.page())
    assert len(found) > 40
    assert [row for row in found if not row[3]] == []


def test_every_metric_is_described() -> None:
    found = rows(metrics.page())
    assert "`photofeed_feed_slates`" in [row[0] for row in found]
    assert [row for row in found if not row[3]] == []


def test_the_pages_of_the_api_have_every_operation_and_code(document: dict[str, dict[str, dict[str, object]]]) -> None:
    operations = [one for item in document["paths"].values() for one in item.values() if isinstance(one, dict)]
    assert len(rows(api.page(document))) == len([one for one in operations if "responses" in one])
    assert "`cursor_expired`" in [row[0] for row in rows(errors.page(document))]


def test_every_topic_names_who_reads_it() -> None:
    assert [row for row in rows(messages.page()) if not row[4]] == []


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("see [`a.py`](../../serving/a.py).", "see `a.py`."),
        (
            "[two](../clients.md#tokens) [three](https://example.org)",
            "[two](../clients.md#tokens) [three](https://example.org)",
        ),
        ("[up](../../README.md) ![kept](../images/feed.png)", "up ![kept](../images/feed.png)"),
        ("[here](#below)", "[here](#below)"),
    ],
)
def test_links_that_leave_the_documents_become_text(markdown: str, expected: str) -> None:
    assert replaced(markdown, "tutorials", None) == expected


def test_links_lead_into_the_repository_where_it_is_known() -> None:
    found = replaced("[code](../serving/a.py)", "", "https://forge.example/photofeed/")
    assert found == "[code](https://forge.example/photofeed/blob/main/serving/a.py)"
