"""A change of the API's document that breaks clients is found, and others are not."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tools.contract.breaking import breaking_changes, may_break

DOCS = Path(__file__).resolve().parents[3] / "docs"
DOCUMENT: dict[str, Any] = orjson.loads((DOCS / "openapi.json").read_bytes())
Change = Callable[[dict[str, Any]], object]


def _after(change: Change) -> list[str]:
    changed = copy.deepcopy(DOCUMENT)
    change(changed)
    return breaking_changes(DOCUMENT, changed)


def _schema(document: dict[str, Any], name: str) -> dict[str, Any]:
    schema: dict[str, Any] = document["components"]["schemas"][name]
    return schema


BREAKING: list[tuple[Change, str]] = [
    (lambda d: d["paths"].pop("/v1/feed"), "GET /v1/feed is gone"),
    (lambda d: d["paths"]["/v1/me"].pop("patch"), "PATCH /v1/me is gone"),
    (lambda d: d["paths"]["/v1/me"]["get"].update(operationId="me"), "GET /v1/me is called me"),
    (lambda d: d["paths"]["/v1/feed"]["get"]["responses"].pop("304"), "GET /v1/feed 304 is gone"),
    (lambda d: d["paths"]["/v1/feed"]["get"].update(parameters=[]), "parameter cursor is gone"),
    (lambda d: _schema(d, "Post")["properties"].pop("caption"), "caption is gone"),
    (lambda d: _schema(d, "Post")["required"].remove("caption"), "caption may be missing now"),
    (lambda d: _schema(d, "Post")["properties"]["caption"].update(type=["string", "null"]), "caption may be null now"),
    (lambda d: _schema(d, "NewComment")["required"].append("slateId"), "slateId is required now"),
    (lambda d: _schema(d, "NewComment")["properties"].pop("replyTo"), "replyTo is gone"),
    (lambda d: _schema(d, "NewComment")["properties"]["text"].update(type="integer"), "text may no longer be string"),
    (lambda d: _schema(d, "Complete")["properties"]["contentType"].update(enum=["photo"]), "may no longer be reel"),
]
HARMLESS: list[Change] = [
    lambda _: None,
    lambda d: d["paths"].update({"/v1/new": {}}),
    lambda d: _schema(d, "Post")["properties"].update(colours={"type": "integer"}),
    lambda d: _schema(d, "NewComment")["properties"].update(mood={"type": "string"}),
    lambda d: d["paths"]["/v1/feed"]["get"]["responses"].pop("422"),
]


@pytest.mark.parametrize(("change", "words"), BREAKING, ids=[words for _, words in BREAKING])
def test_a_breaking_change_is_found(change: Change, words: str) -> None:
    assert any(words in found for found in _after(change)), _after(change)


@pytest.mark.parametrize("change", HARMLESS, ids=map(str, range(len(HARMLESS))))
def test_what_is_added_breaks_nobody(change: Change) -> None:
    assert _after(change) == []


@pytest.mark.parametrize(
    ("old", "new", "allowed"),
    [
        ("0.2.0", "0.2.1", False),
        ("0.2.0", "0.3.0", True),
        ("0.9.0", "1.0.0", True),
        ("1.2.0", "1.3.0", False),
        ("1.2.0", "2.0.0", True),
    ],
)
def test_the_version_says_whether_clients_may_break(old: str, new: str, allowed: bool) -> None:
    assert may_break(old, new) is allowed


def test_the_document_breaks_no_client_of_a_released_version() -> None:
    for file in DOCS.glob("released/openapi-*.json"):
        released = orjson.loads(file.read_bytes())
        if not may_break(released["info"]["version"], DOCUMENT["info"]["version"]):
            assert breaking_changes(released, DOCUMENT) == [], file.name
