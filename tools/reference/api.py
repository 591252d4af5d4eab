"""The page of the HTTP API, from docs/openapi.json."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from tools.reference.markdown import code, generated, table

_METHODS = ("get", "post", "put", "patch", "delete")
_ABOUT = """`/docs` of a running server shows parameters, examples and models, and calls the API. The
document itself is [openapi.json](../openapi.json)."""


def page(document: Mapping[str, Any]) -> str:
    """Every operation, by tag."""
    by_tag: dict[str, list[tuple[str, str, str, str]]] = defaultdict(list)
    for path, item in document["paths"].items():
        for method in _METHODS:
            if operation := item.get(method):
                summary = operation.get("summary") or operation.get("description", "").partition("\n")[0]
                row = (code(f"{method.upper()} {path}"), summary, code(operation["operationId"]), _statuses(operation))
                by_tag[(operation.get("tags") or ["other"])[0]].append(row)
    head = ("operation", "what it does", "operationId", "statuses")
    sections = "\n".join(f"## {tag}\n\n{table(head, rows)}" for tag, rows in sorted(by_tag.items()))
    return f"{generated('HTTP API', '`docs/openapi.json`', _ABOUT)}\n{sections}"


def _statuses(operation: Mapping[str, Any]) -> str:
    return ", ".join(sorted(operation["responses"]))
