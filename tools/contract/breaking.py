"""What a client of one document can no longer rely on in another: removed or changed replies, stricter requests."""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
Document = Mapping[str, Any]

_MOST_NESTED = 12


def breaking_changes(old: Document, new: Document) -> list[str]:
    """The changes that break clients of `old`, as sentences."""
    return [change for path, operations in old["paths"].items() for change in _path(path, operations, old, new)]


def may_break(old_version: str, new_version: str) -> bool:
    """Whether the version moved far enough to break clients: the major version or, before 1.0, the minor one."""
    old, new = ([int(part) for part in version.split(".")[:2]] for version in (old_version, new_version))
    return new[0] > old[0] or (new[0] == old[0] == 0 and new[1] > old[1])


def _path(path: str, operations: Mapping[str, Any], old: Document, new: Document) -> Iterator[str]:
    for method, before in operations.items():
        name, after = f"{method.upper()} {path}", new["paths"].get(path, {}).get(method)
        if after is None:
            yield f"{name} is gone"
            continue
        if before["operationId"] != after["operationId"]:
            yield f"{name} is called {after['operationId']}, no longer {before['operationId']}"
        yield from _parameters(name, before, after)
        for status, reply in before["responses"].items():
            if status < "400":
                yield from _reply(f"{name} {status}", reply, after["responses"].get(status), old, new)
        sent = _json(before.get("requestBody", {})), _json(after.get("requestBody", {}))
        if sent[1] and (sent[0] or after["requestBody"].get("required")):
            yield from _request(f"{name}: body", _resolved(sent[0], old), _resolved(sent[1], new), old, new)


def _parameters(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    had = {(one["in"], one["name"]): one for one in before.get("parameters", [])}
    has = {(one["in"], one["name"]): one for one in after.get("parameters", [])}
    for where, parameter in had.keys() - has.keys():
        yield f"{name}: the {where} parameter {parameter} is gone"
    for key, parameter in has.items():
        if parameter.get("required") and not had.get(key, {}).get("required"):
            yield f"{name}: the {key[0]} parameter {key[1]} is required now"


def _reply(name: str, before: Schema, after: Schema | None, old: Document, new: Document) -> Iterator[str]:
    if after is None:
        yield f"{name} is gone"
        return
    for media_type in before.get("content", {}).keys() - after.get("content", {}).keys():
        yield f"{name} is no longer sent as {media_type}"
    yield from _shape(name, _resolved(_json(before), old), _resolved(_json(after), new), old, new)


def _shape(name: str, before: Schema, after: Schema, old: Document, new: Document, depth: int = 0) -> Iterator[str]:
    """Changes of what is received: fields that are gone, may be missing, or have another type."""
    if depth > _MOST_NESTED:
        return
    gained = _types(after) - _types(before)
    if _types(before) and gained:
        yield f"{name} may be {', '.join(sorted(gained))} now"
    for field, schema in before.get("properties", {}).items():
        if field not in after.get("properties", {}):
            yield f"{name}: {field} is gone"
            continue
        if field in before.get("required", []) and field not in after.get("required", []):
            yield f"{name}: {field} may be missing now"
        both = _resolved(schema, old), _resolved(after["properties"][field], new)
        yield from _shape(f"{name}: {field}", *both, old, new, depth + 1)
    if "items" in before and "items" in after:
        both = _resolved(before["items"], old), _resolved(after["items"], new)
        yield from _shape(f"{name}[]", *both, old, new, depth + 1)


def _request(name: str, before: Schema, after: Schema, old: Document, new: Document) -> Iterator[str]:
    """Changes of what is sent: fields that are gone or required, and values that are no longer accepted."""
    for field in set(after.get("required", [])) - set(before.get("required", [])):
        yield f"{name}: {field} is required now"
    for field, schema in before.get("properties", {}).items():
        if field not in after.get("properties", {}):
            yield f"{name}: {field} is gone"
            continue
        had, has = _resolved(schema, old), _resolved(after["properties"][field], new)
        lost = _types(had) - _types(has)
        if _types(has) and lost:
            yield f"{name}: {field} may no longer be {', '.join(sorted(lost))}"
        refused = set(map(str, had.get("enum", []))) - set(map(str, has.get("enum", had.get("enum", []))))
        if refused:
            yield f"{name}: {field} may no longer be {', '.join(sorted(refused))}"


def _json(part: Mapping[str, Any]) -> Schema:
    schema: Schema = part.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _resolved(schema: Schema, document: Document) -> Schema:
    """The schema behind a reference, or behind the one alternative that is not null."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    others = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
    if len(others) == 1:
        inner = _resolved(others[0], document)
        return {**inner, "type": sorted(_types(inner) | {"null"})}
    return schema


def _types(schema: Schema) -> set[str]:
    named = schema.get("type", [])
    return {named} if isinstance(named, str) else set(named)
