"""Plain feed requests get the same replies in front of the framework as from it."""

from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from photofeed.errors import RetryableError
from photofeed.ids import decode_id
from photofeed.tokens import SERVICE, USER, mint_token
from serving.api import plain_feed
from serving.feed.pipeline import FeedPipeline
from serving.identities import Identities

if TYPE_CHECKING:
    from httpx2 import Response

    from tests.api.conftest import App, Person

PATH = "/v1/feed"
VOLATILE = {"etag", "x-request-id", "ratelimit", "ratelimit-remaining", "ratelimit-reset", "content-length"}


@pytest.fixture
def framework_only() -> Any:
    """Sends every request to the framework while the patch is active."""
    return patch.object(plain_feed, "_plain_token", lambda _: None)


def both_ways(app: "App", framework_only: Any, headers: dict[str, str], query: str = "") -> "list[Response]":
    app.http.request("GET", PATH, headers=headers)  # the token is checked
    direct = app.http.request("GET", PATH + query, headers=headers)
    with framework_only:
        return [direct, app.http.request("GET", PATH + query, headers=headers)]


def shape(value: Any) -> Any:
    """The names and types of a body, whose values differ from slate to slate."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value).__name__ if not isinstance(value, int | float) else "number"


def test_a_plain_request_is_answered_without_the_framework(app: "App", creators: "list[Person]") -> None:
    viewer = app.person()
    for creator in creators:
        viewer.call("PUT", f"/v1/users/{creator.id}/follow")
    _forget(app, viewer)
    with patch("serving.api.feed.page_reply", side_effect=AssertionError):  # as the framework's route calls it
        assert viewer.get(PATH)["items"]
        assert viewer.get(PATH)["items"]  # the token is remembered


def test_both_ways_have_the_same_status_headers_and_body(
    app: "App", framework_only: Any, creators: "list[Person]"
) -> None:
    viewer = app.person()
    for creator in creators:
        viewer.call("PUT", f"/v1/users/{creator.id}/follow")
    direct, framework = both_ways(app, framework_only, viewer.headers)
    assert direct.status_code == framework.status_code == 200
    assert direct.headers.keys() == framework.headers.keys()
    for name in direct.headers.keys() - VOLATILE:
        assert direct.headers[name] == framework.headers[name], name
    one, other = direct.json(), framework.json()
    assert shape(one) == shape(other)
    assert one["items"]
    assert one["items"][0]["post"].keys() == other["items"][0]["post"].keys()


def test_both_ways_refuse_alike(app: "App", framework_only: Any) -> None:
    viewer, other = app.person(), app.person()
    own, number = viewer.headers["Authorization"], decode_id(viewer.id)
    unscoped = mint_token(app.settings, number, frozenset())
    service = mint_token(app.settings, 0, frozenset({SERVICE}))
    cases: list[dict[str, str]] = [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer wrong"},
        {"Authorization": own.replace("Bearer", "Basic")},
        {"Authorization": own, "Act-As": other.id},
        {"Authorization": own, "If-None-Match": "x" * 2_000},
        {"Authorization": f"Bearer {unscoped}"},
        {"Authorization": f"Bearer {service}"},
        {"Authorization": f"bearer  {own.partition(' ')[2]} "},
        {"Authorization": f"Bearer {mint_token(app.settings, number, frozenset({USER, SERVICE}))}"},
    ]
    statuses = []
    for headers in cases:
        direct, framework = both_ways(app, framework_only, headers)
        assert direct.status_code == framework.status_code, headers
        assert direct.headers.keys() == framework.headers.keys(), headers
        if direct.status_code != 200:
            assert direct.json() == framework.json()
        statuses.append(direct.status_code)
    assert statuses == [401, 401, 401, 401, 403, 422, 403, 403, 200, 200]


@pytest.mark.parametrize("query", ["?limit=5", "?limit=0", "?cursor=x", "?explain=true", "?ranker=recency"])
def test_requests_with_a_query_are_not_plain(app: "App", framework_only: Any, query: str) -> None:
    direct, framework = both_ways(app, framework_only, app.person().headers, query)
    assert direct.status_code == framework.status_code
    assert direct.headers.keys() == framework.headers.keys()
    if direct.status_code != 200:
        assert direct.json() == framework.json()


def test_what_fails_is_answered_by_the_framework(app: "App", framework_only: Any) -> None:
    viewer = app.person()
    viewer.get(PATH)
    failing = patch.object(FeedPipeline, "first_page", side_effect=RetryableError("The feed cannot be ranked now."))
    with failing as first_page:
        direct = viewer.call("GET", PATH)
        assert first_page.call_count == 1
        with framework_only:
            framework = viewer.call("GET", PATH)
    assert direct.status_code == framework.status_code == 503
    assert direct.json() == framework.json()
    assert direct.headers.keys() == framework.headers.keys()


def test_a_token_that_cannot_be_checked_is_checked_once(app: "App", framework_only: Any) -> None:
    viewer = app.person()
    failing = patch.object(Identities, "caller", side_effect=RetryableError("The identity provider is away."))
    with failing as caller:
        direct = viewer.call("GET", PATH)
        assert caller.call_count == 1
        with framework_only:
            framework = viewer.call("GET", PATH)
    assert direct.status_code == framework.status_code == 503
    assert direct.json() == framework.json()
    assert direct.headers.keys() == framework.headers.keys()


def test_no_feed_is_ranked_for_a_deleted_account(app: "App", framework_only: Any) -> None:
    leaver = app.person()
    assert leaver.call("DELETE", "/v1/me", headers={"Confirm-Deletion": leaver.handle}).status_code == 202
    with patch.object(FeedPipeline, "first_page", side_effect=AssertionError):
        direct, framework = both_ways(app, framework_only, leaver.headers)
    assert direct.status_code == framework.status_code == 401
    assert direct.json() == framework.json()
    assert direct.json()["code"] == "account_deleted"


def test_a_head_request_has_the_same_headers(app: "App", framework_only: Any) -> None:
    viewer = app.person()
    viewer.get(PATH)
    direct = viewer.call("HEAD", PATH)
    with framework_only:
        framework = viewer.call("HEAD", PATH)
    assert direct.status_code == framework.status_code
    assert direct.headers.keys() == framework.headers.keys()


def test_plain_requests_are_counted_under_their_route(app: "App") -> None:
    viewer = app.person()
    viewer.get(PATH)
    before = _requests(app)
    viewer.get(PATH)
    assert _requests(app) == before + 1


def _forget(app: "App", person: "Person") -> None:
    """Let the next request of a person be the first one with their token."""
    app.http.app_state["services"].verifier.forget(decode_id(person.id))


def _requests(app: "App") -> float:
    metrics: str = app.http.get("/metrics").text
    lines = [line for line in metrics.splitlines() if line.startswith("photofeed_http_requests_total")]
    return sum(float(line.rpartition(" ")[2]) for line in lines if f'route="{PATH}",status="200"' in line)
