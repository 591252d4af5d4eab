"""Every operation with bodies, parameters and encodings that no client should send."""

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App, Person

JSON = {"Content-Type": "application/json"}
LIBRARY_WORDS = re.compile(
    r"pydantic|Input should|validation error|JSONDecode|string_too|\^\[|Traceback|psycopg|asyncpg|orjson|Expecting|"
    r"codec|recursion|NoneType|starlette|fastapi|must match the pattern",
    re.IGNORECASE,
)
TOO_MUCH = {
    "caption": "x" * 5_000,
    "tags": ["y" * 80] * 50,
    "handle": "A" * 50,
    "events": [{}] * 501,
    "text": "t" * 9_000,
    "reason": "r" * 2_000,
    "displayName": "d" * 500,
    "bio": "b" * 900,
    "sha256": "zz",
    "mediaType": "image/bmp",
    "unknown": 1,
    "receipt": "q" * 999,
    "upTo": "zz",
    "switchedOff": ["zz"],
    "byteSize": -4,
    "photoId": "!",
}
WRONG_TYPES = {
    **{name: [7] for name in ("caption", "handle", "text", "reason", "displayName", "url", "secret")},
    **dict.fromkeys(["tags", "events", "switchedOff", "kinds", "enabled", "byteSize"], "x"),
}
EVENT = {"id": "12345678", "type": "nope", "occurredAt": "yesterday", "postId": "!!", "dwellMs": -1}
BODIES = [
    b'{"a":',
    b"\xff\xfe{",
    b"[" * 3_000 + b"]" * 3_000,
    b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
    b"[]",
    b'"x"',
    b'{"text":"\xed\xa0\x80"}',
    b'{"n":' + b"9" * 5_000 + b"}",
    b'{"text": "' + b"x" * 200_000 + b'"}',
    b'{"text": "\\u0000", "caption": "\\ud800", "displayName": "\\u0000"}',
    '{"text":"é"}'.encode("utf-16"),
    json.dumps(TOO_MUCH).encode(),
    json.dumps(WRONG_TYPES).encode(),
    json.dumps({"events": [EVENT]}).encode(),
]
QUERY_VALUES = ["%FF%FE", "x" * 3_000, "-1", "%00", "1e9", "%ED%A0%80", "[]", ""]
PATH_VALUES = ["%FF", "x" * 500, "%00", "a%20b", "9" * 5_000, "..%2f"]


def _calls(
    method: str, path: str, operation: dict[str, Any], ids: dict[str, str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Addresses and further arguments of bad calls of an operation."""
    good = path.format_map(ids)
    if "requestBody" in operation:
        yield from ((good, {"content": body, "headers": JSON}) for body in BODIES)
        yield good, {"content": b"a=1", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}
        yield good, {"content": b"\x1f\x8b\x08", "headers": JSON | {"Content-Encoding": "gzip"}}
    for parameter in operation.get("parameters", []):
        name = parameter["name"]
        if parameter["in"] == "query":
            yield from ((f"{good}?{name}={value}", {}) for value in QUERY_VALUES)
        elif parameter["in"] == "path":
            yield from ((path.format_map(ids | {name: value}), {}) for value in PATH_VALUES)
        elif method != "delete":  # one of an account, confirmed by a header
            yield from ((good, {"headers": {name: value}}) for value in ("x" * 2_000, "\x7f", "é".encode()))


def _fault(reply: Any) -> str | None:
    """What is wrong with the reply to a bad call, if anything."""
    if reply.status_code < 400:
        return None  # some bad values mean nothing, such as a form where a body is optional
    if reply.status_code >= 500:
        return f"{reply.status_code}: {reply.text[:200]}"
    if "problem+json" not in reply.headers.get("Content-Type", ""):
        return f"no problem: {reply.headers.get('Content-Type')}"
    problem = reply.json()
    said = json.dumps([problem["detail"], problem.get("errors")])
    if LIBRARY_WORDS.search(said):
        return f"words of a library: {said[:300]}"
    if not problem["detail"] or len(problem["detail"]) > 1_000:
        return f"{len(problem['detail'])} characters of detail"
    return None


@pytest.fixture(scope="module")
def ids(app: "App") -> dict[str, str]:
    """Of things that exist, by the names of path parameters."""
    author, other = app.person(), app.person()
    post = author.upload(picture(7))
    app.work()
    comment = author.call("POST", f"/v1/posts/{post}/comments", json={"text": "x"}).json()["id"]
    words = {
        "handle": other.handle,
        "tag": "sea",
        "name": "150",
        "webhook_id": post,
        "delivery_id": post,
        "letter_id": "01a202b8",
    }
    return {"post_id": post, "photo_id": post, "user_id": other.id, "comment_id": comment, **words}


def _operations(app: "App") -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and declaration of all but those of development and streams, which stay open."""
    for path, methods in app.http.get("/openapi.json").json()["paths"].items():
        if not path.startswith("/v1/dev/") and not path.endswith(("/stream", "/status")):
            for method, operation in methods.items():
                yield method, path, operation


def _caller(app: "App", people: dict[str, "Person"], path: str, method: str) -> "Person":
    if path.startswith("/v1/webhooks") or (method, path) == ("post", "/v1/users"):
        return app.service
    return people["admin" if path.startswith("/v1/admin/") else "moderator"]


def test_every_bad_call_is_a_problem_in_words_for_people(app: "App", ids: dict[str, str]) -> None:
    people, faults = {"moderator": app.moderator(), "admin": app.admin()}, list[str]()
    for method, path, operation in _operations(app):
        caller = _caller(app, people, path, method)
        for address, arguments in _calls(method, path, operation, ids):
            fault = _fault(caller.call(method.upper(), address, **arguments))
            if fault is not None:
                faults.append(f"{operation['operationId']} {address[:80]} {str(arguments)[:60]}: {fault}")
    assert not faults, "\n".join(faults[:30])


@pytest.mark.parametrize("page", ["/@%00", "/@%FF", "/p/%00", "/tags/%00", "/%00", "/assets/%00", "/photos/%00/640"])
def test_pages_of_unreadable_addresses_do_not_exist(app: "App", page: str) -> None:
    assert app.http.get(page).status_code in {200, 404}


def test_a_handle_is_refused_in_words(app: "App") -> None:
    reply = app.service.call("POST", "/v1/users", json={"handle": "Marta K", "displayName": "Marta"})
    (error,) = reply.json()["errors"]
    assert error == {
        "field": "handle",
        "message": "must have 2 to 30 lower-case letters a to z, digits, dots or underscores",
    }
