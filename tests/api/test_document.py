"""The OpenAPI document is complete, and the one in docs/ is up to date."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from tests.command_line import photofeed

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
OPEN = {"getHealth", "getReadiness", "getMetrics", "getImage", "getSession", "deleteSession"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    run = photofeed("openapi")
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = orjson.loads(run.stdout)
    return found


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    found = [operation for path in document["paths"].values() for operation in path.values()]
    assert len(found) > 40
    return found


def test_the_committed_document_is_the_one_that_is_served(document: dict[str, Any]) -> None:
    committed = orjson.loads(COMMITTED.read_bytes())

    assert committed == document, "run `make openapi` and commit docs/openapi.json"


def test_every_reply_with_a_body_has_a_schema_and_an_example(operations: list[dict[str, Any]]) -> None:
    for operation in operations:
        successes = [reply for status, reply in operation["responses"].items() if status < "300"]
        assert successes, operation["operationId"]
        for status, reply in operation["responses"].items():
            for media_type, content in reply.get("content", {}).items():
                what = f"{operation['operationId']} {status} {media_type}"
                assert content.get("schema"), what
                assert "example" in content or "examples" in content, what


def test_examples_are_valid(document: dict[str, Any], operations: list[dict[str, Any]]) -> None:
    for operation in operations:
        for reply in operation["responses"].values():
            for content in reply.get("content", {}).values():
                schema = content["schema"] | {"components": document["components"]}
                examples = [one["value"] for one in content.get("examples", {}).values()]
                for example in examples or [content["example"]]:
                    Draft202012Validator(schema).validate(example)


def test_every_error_is_a_problem_with_declared_codes(operations: list[dict[str, Any]]) -> None:
    for operation in operations:
        errors = {status: reply for status, reply in operation["responses"].items() if status >= "400"}
        assert {"500", "503"} <= errors.keys()
        for status, reply in errors.items():
            if "content" in reply:
                assert reply["content"]["application/problem+json"]["examples"], (operation["operationId"], status)


def test_every_operation_but_the_open_ones_needs_a_token_with_a_role(operations: list[dict[str, Any]]) -> None:
    open_ones = {operation["operationId"] for operation in operations if not operation["security"]}

    assert open_ones == OPEN
    for operation in operations:
        assert operation["security"] == [] or operation["security"][0]["bearer"] in (
            ["user"],
            ["service"],
            ["moderator"],
            ["admin"],
        )
        assert ("401" in operation["responses"]) == (operation["operationId"] not in OPEN)


def test_a_session_cookie_is_taken_where_people_act_and_not_for_services_or_sessions(
    operations: list[dict[str, Any]],
) -> None:
    without = {one["operationId"] for one in operations if one["security"] and {"session": []} not in one["security"]}
    services = {one["operationId"] for one in operations if {"bearer": ["service"]} in one["security"]}
    assert without == services | {"createSession"}


def test_operation_ids_are_unique_camel_case_and_summaries_plain(operations: list[dict[str, Any]]) -> None:
    ids = [operation["operationId"] for operation in operations]

    assert len(set(ids)) == len(ids)
    for operation in operations:
        assert operation["operationId"].isalnum()
        assert operation["operationId"][0].islower()
        assert len(operation["summary"]) <= 100
