"""HTTP as clients, proxies and monitors expect it: HEAD, Allow, request ids, and refusals in words."""

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from prometheus_client import REGISTRY

from tests.api.pictures import picture

if TYPE_CHECKING:
    from tests.api.conftest import App

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def names(app: "App") -> dict[str, str]:
    author = app.person()
    post = author.upload(picture(80))
    app.work()
    return {"user": author.id, "post": post}


@pytest.mark.parametrize(
    "path",
    [
        *("/healthz", "/readyz", "/metrics", "/openapi.json", "/photos/{post}/640", "/photos/{post}/640.webp"),
        *("/v1/me", "/v1/users/{user}", "/v1/photos/{post}", "/v1/posts/{post}/comments", "/v1/nothing"),
    ],
)
def test_a_head_has_the_status_and_headers_of_its_get_and_no_body(app: "App", names: dict[str, str], path: str) -> None:
    person = app.person()
    got, head = (person.call(method, path.format(**names)) for method in ("GET", "HEAD"))
    assert head.status_code == got.status_code
    assert head.content == b""
    varying = {"x-request-id"} | {name for name in head.headers if name.startswith("ratelimit-")}
    varying |= {"content-length"} if path == "/metrics" else set()
    assert {n: v for n, v in head.headers.items() if n not in varying} == {
        n: v for n, v in got.headers.items() if n not in varying
    }


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/events", "POST"),
        ("GET", "/v1/users", "POST"),
        ("POST", "/v1/me", "DELETE, GET, HEAD, PATCH"),
        ("GET", "/v1/posts/{post}/like", "DELETE, PUT"),
        ("HEAD", "/v1/feed", "GET"),
        ("HEAD", "/v1/photos/{post}/status", "GET"),
        ("DELETE", "/healthz", "GET, HEAD"),
        ("PUT", "/v1/photos/initiate", "POST"),
        ("POST", "/photos/{post}/640", "GET, HEAD"),
        ("PUT", "/openapi.json", "GET, HEAD"),
        ("OPTIONS", "/v1/feed", "GET"),
        ("ODD", "/v1/feed", "GET"),
    ],
)
def test_a_method_that_a_path_does_not_have_names_those_it_has(
    app: "App", names: dict[str, str], method: str, path: str, allowed: str
) -> None:
    reply = app.http.request(method, path.format(**names))
    assert (reply.status_code, reply.headers["allow"]) == (405, allowed)
    if method != "HEAD":
        assert (reply.headers["content-type"], reply.json()["code"]) == (
            "application/problem+json",
            "method_not_allowed",
        )


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nothing", "/v1/feed/", "/v1/posts", "/v1/a%2Fb", "/photos/x"])
def test_an_unknown_path_of_the_api_is_a_404_problem(app: "App", method: str, path: str) -> None:
    reply = app.http.request(method, path)
    assert (reply.status_code, reply.headers["content-type"]) == (404, "application/problem+json")
    assert reply.json()["code"] == "not_found"


def _chunks(count: int) -> Iterator[bytes]:
    yield b'{"events": ['
    for _ in range(count):
        yield b" " * 65_536
    yield b"]}"


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"{nope", 400, "not valid JSON, near its character 1"),
        (b'{"events": [1', 400, "not valid JSON"),
        (b"\xff\xfe\xff", 400, "not UTF-8"),
        (b"[" * 100_000, 400, "nested too deeply"),
        (b'{"events": ' + b"9" * 5000 + b"}", 400, "too many digits"),
        (b" " * (2**20 + 1), 413, "at most 1 MB"),
        (b"[]", 422, "must be a JSON object"),
        (b'{"events": [{"id": "abcdefgh", "type": "like", "dwellMs": 1e99}]}', 422, "must be a whole number"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_in_words(app: "App", content: bytes, status: int, words: str) -> None:
    reply = app.person().call("POST", "/v1/events", content=content, headers=JSON)
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
    assert words in reply.json()["detail"]


def test_a_body_that_grows_over_the_limit_is_refused_in_words(app: "App") -> None:
    reply = app.person().call("POST", "/v1/events", content=_chunks(17), headers=JSON)
    assert (reply.status_code, reply.json()["code"]) == (413, "body_too_large")
    assert reply.json()["detail"] == "The body may have at most 1 MB."


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_that_is_not_sent_as_json_is_refused(app: "App", media_type: str) -> None:
    reply = app.person().call("POST", "/v1/events", content=b'{"events": []}', headers={"Content-Type": media_type})
    assert (reply.status_code, reply.json()["code"]) == (415, "unsupported_media_type")


WRITES = [
    ("PUT", "/v1/posts/{post}/like", {}),
    ("PUT", "/v1/posts/{post}/save", {}),
    ("POST", "/v1/posts/{post}/share", {}),
    ("POST", "/v1/posts/{post}/report", {}),
    ("POST", "/v1/posts/{post}/comments", {"text": "Hello"}),
    ("PATCH", "/v1/me", {}),
    ("POST", "/v1/photos/initiate", {}),
    ("POST", "/v1/photos/{post}/complete", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_an_unknown_field_of_a_write_is_refused_by_its_name(
    app: "App", names: dict[str, str], method: str, path: str, body: dict[str, Any]
) -> None:
    reply = app.person().call(method, path.format(**names), json=body | {"sparkle": 1})
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid")
    assert reply.json()["errors"] == [{"field": "sparkle", "message": "is not a field of this call"}]


def test_unknown_fields_of_events_are_ignored_and_counted(app: "App", names: dict[str, str]) -> None:
    def ignored() -> float:
        return REGISTRY.get_sample_value("photofeed_events_unknown_fields_total") or 0.0

    before = ignored()
    event = {"id": uuid.uuid4().hex, "type": "open", "postId": names["post"], "mood": "calm", "screen": {"w": 1}}
    reply = app.person().call("POST", "/v1/events", json={"events": [event], "client": "next year's"})
    assert (reply.status_code, reply.json()["accepted"]) == (202, 1)
    assert ignored() - before == 3


def test_every_reply_has_the_request_id_of_the_client_or_a_new_one(app: "App") -> None:
    def request_id(path: str, **headers: str) -> str:
        return app.http.get(path, headers=headers).headers["x-request-id"]

    assert request_id("/healthz", **{"X-Request-Id": "edge-7.a_B"}) == "edge-7.a_B"
    assert request_id("/v1/nothing", **{"X-Request-Id": "edge-8"}) == "edge-8"
    assert request_id("/v1/feed", **{"X-Request-Id": "edge-9"}) == "edge-9"
    made = [request_id("/healthz", **headers) for headers in ({}, {"X-Request-Id": "a b"}, {"X-Request-Id": "x" * 65})]
    assert len(set(made)) == 3
    assert all(uuid.UUID(one).version == 7 for one in made)


@pytest.mark.parametrize(
    ("path", "field", "words"),
    [
        ("/v1/feed?limit=0", "limit", "must be at least 1"),
        ("/v1/feed?limit=101", "limit", "must be at most 100"),
        (f"/v1/feed?limit={'9' * 5000}", "limit", "must be a whole number"),
        ("/v1/feed?explain=perhaps", "explain", "must be true or false"),
        ("/v1/feed/new", "slateId", "is required"),
        ("/v1/feed/new?slateId=7", "slateId", "must be a UUID"),
        ("/v1/search?q=", "q", "must have at least 1 characters"),
        ("/v1/search?q=a%00", "q", "may have no NUL character"),
    ],
)
def test_a_parameter_is_refused_in_words(app: "App", path: str, field: str, words: str) -> None:
    reply = app.person().call("GET", path)
    assert (reply.status_code, reply.json()["errors"]) == (422, [{"field": field, "message": words}])


def test_sizes_are_in_megabytes(app: "App") -> None:
    reply = app.person().call("POST", "/v1/photos/initiate", json={"byteSize": 60 * 2**20})
    assert reply.json()["detail"] == "A photo may have at most 50 MB."
    huge = app.person().call("POST", "/v1/photos/initiate", content=orjson.dumps({"byteSize": 2**62}), headers=JSON)
    assert (huge.status_code, huge.json()["code"]) == (422, "too_large")
