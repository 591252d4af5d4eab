"""What `make contract` reads from the document, and what it counts as a body without a type."""

from typing import Any

import pytest

from tools.contract.document import has_examples, has_schemas, operations, with_ids
from tools.contract.generated import untyped_python, untyped_typescript

TYPED = {"schema": {"type": "object"}, "example": {}}


def _operation(**content: Any) -> dict[str, Any]:
    return {"responses": {"204": {}, "200": {"content": {"application/json": content}}}}


def test_every_method_of_every_path_is_an_operation() -> None:
    document = {"paths": {"/a": {"get": {"operationId": "a"}, "put": {"operationId": "b"}}, "/c": {"get": {}}}}
    assert [one.get("operationId") for one in operations(document)] == ["a", "b", None]


@pytest.mark.parametrize(
    ("content", "schemas", "examples"),
    [
        (TYPED, True, True),
        ({"schema": {"type": "object"}, "examples": {"one": {}}}, True, True),
        ({"schema": {}, "example": {}}, False, True),
        ({"schema": {"type": "object"}}, True, False),
    ],
)
def test_replies_with_a_body_need_a_schema_and_an_example(content: Any, schemas: bool, examples: bool) -> None:
    operation = _operation(**content)
    assert (has_schemas(operation), has_examples(operation)) == (schemas, examples)


def test_ids_of_things_that_exist_become_examples_of_path_parameters() -> None:
    parameters: list[dict[str, Any]] = [{"in": where, "name": "post_id", "schema": {}} for where in ("path", "query")]
    document = with_ids({"paths": {"/a": {"get": {"parameters": parameters}}}}, {"post_id": "15OGRpnNiJv"})
    path, query = document["paths"]["/a"]["get"]["parameters"]
    assert (path["schema"], query["schema"]) == ({"examples": ["15OGRpnNiJv"]}, {})


@pytest.mark.parametrize("line", ['"application/json": unknown;', '"image/webp": any;', '"text/event-stream": never;'])
def test_a_body_of_unknown_type_is_found_in_typescript(line: str) -> None:
    assert untyped_typescript(f"    content: {{\n        {line}\n") == [line]


def test_open_objects_and_headers_are_no_bodies() -> None:
    assert untyped_typescript('[name: string]: unknown;\n"application/json": components["schemas"]["Feed"];\n') == []


def test_a_body_without_a_type_is_found_in_python() -> None:
    source = "response_200 = cast(Any, response)\nresponse_404 = Problem.from_dict(response.json())\n"
    assert untyped_python(source) == ["response_200 = cast(Any, response)"]
