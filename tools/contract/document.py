"""What the document declares: operations, schemas, examples."""

from collections.abc import Iterator, Mapping
from typing import Any

Operation = Mapping[str, Any]


def operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    """All operations of an OpenAPI document."""
    for path in document["paths"].values():
        yield from path.values()


def contents(operation: Operation) -> Iterator[Mapping[str, Any]]:
    """The content of every reply that has one."""
    for reply in operation["responses"].values():
        yield from reply.get("content", {}).values()


def has_schemas(operation: Operation) -> bool:
    """Whether every reply with a body has a schema."""
    return all(content.get("schema") for content in contents(operation))


def has_examples(operation: Operation) -> bool:
    """Whether every reply with a body has an example."""
    return all("example" in content or "examples" in content for content in contents(operation))


def with_ids(document: dict[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """The document with ids of things that exist as examples of its path parameters; it is changed in place."""
    for operation in operations(document):
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path" and parameter["name"] in ids:
                parameter["schema"]["examples"] = [ids[parameter["name"]]]
    return document
