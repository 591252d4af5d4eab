"""The page of problem codes, from docs/openapi.json."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from tools.reference.markdown import code, generated, table

_ABOUT = """Every error is `application/problem+json` (RFC 9457) with a `code`. Programs compare the
code; `detail` is a sentence for people and may change."""


def page(document: Mapping[str, Any]) -> str:
    """Every code with its statuses, one of its sentences, and the operations that answer with it."""
    found: dict[str, dict[str, Any]] = defaultdict(lambda: {"statuses": set(), "detail": "", "operations": set()})
    for status, problem, operation in _problems(document):
        entry = found[problem["code"]]
        entry["statuses"].add(status)
        entry["detail"] = entry["detail"] or problem["detail"]
        entry["operations"].add(operation)
    rows = [
        (code(name), ", ".join(sorted(entry["statuses"])), entry["detail"], _operations(sorted(entry["operations"])))
        for name, entry in sorted(found.items())
    ]
    head = generated("Errors", "`docs/openapi.json`", _ABOUT)
    return f"{head}\n{table(('code', 'status', 'such as', 'operations'), rows)}"


_MOST_NAMED = 4


def _operations(names: list[str]) -> str:
    if len(names) > _MOST_NAMED:
        return f"{len(names)} operations"
    return ", ".join(code(name) for name in names)


def _problems(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    for item in document["paths"].values():
        for operation in item.values():
            if not isinstance(operation, Mapping) or "responses" not in operation:
                continue
            for status, reply in operation["responses"].items():
                content = reply.get("content", {}).get("application/problem+json", {})
                for example in content.get("examples", {}).values():
                    yield status, example["value"], operation["operationId"]
