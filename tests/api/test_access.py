"""Who may call what, and what a wrong call looks like."""

from typing import TYPE_CHECKING

import pytest

from photofeed.ids import encode_id
from photofeed.tokens import mint_token

if TYPE_CHECKING:
    from tests.api.conftest import App

OPEN = {"/healthz", "/readyz", "/metrics", "/photos/{photo_id}/{name}", "/v1/dev/people", "/v1/dev/tokens"} | {
    "/v1/dev/progress",
}


def _calls(app: "App") -> list[tuple[str, str]]:
    paths = app.http.get("/openapi.json").json()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods if path not in OPEN]


def test_every_call_but_health_and_images_needs_a_token(app: "App") -> None:
    calls = _calls(app)
    assert len(calls) >= 25
    for method, path in calls:
        for headers in ({}, {"Authorization": "Bearer forged"}, {"Authorization": "Basic eDp5"}):
            reply = app.http.request(method, path.replace("{", "").replace("}", ""), headers=headers)
            assert reply.status_code == 401, (method, path)
            assert reply.json()["code"] == "unauthenticated"
            assert reply.headers["www-authenticate"] == "Bearer"


def test_health_needs_no_token(app: "App") -> None:
    assert app.http.get("/healthz").json() == {"status": "ok"}
    assert app.http.get("/readyz").json()["status"] == "ready"
    assert "photofeed_feed_stage_seconds" in app.http.get("/metrics").text


def test_only_services_act_for_others_and_add_people(app: "App") -> None:
    one, other = app.person(), app.person()
    assert one.call("GET", "/v1/me", headers={"Act-As": other.id}).status_code == 403
    assert one.call("POST", "/v1/users", json={"handle": "x_y", "displayName": "X"}).status_code == 403
    assert app.service.get("/v1/me", headers={"Act-As": other.id})["id"] == other.id
    assert app.service.call("GET", "/v1/me").status_code == 403


@pytest.mark.parametrize("path", ["/v1/users/{}", "/v1/photos/{}", "/v1/posts/{}/comments", "/v1/nothing"])
@pytest.mark.parametrize("unknown", [encode_id(12345), "nonsense"])
def test_what_does_not_exist_is_a_404_problem(app: "App", path: str, unknown: str) -> None:
    reply = app.person().call("GET", path.format(unknown))
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/problem+json"
    assert set(reply.json()) >= {"type", "title", "status", "detail", "code"}


def test_a_token_of_somebody_who_is_gone_gets_a_clear_answer(app: "App") -> None:
    headers = {"Authorization": f"Bearer {mint_token(app.settings, 12345)}"}
    assert app.http.get("/v1/feed", headers=headers).json()["code"] == "user_not_found"


def test_a_body_that_is_too_large_is_refused(app: "App") -> None:
    person = app.person()
    reply = person.call("POST", "/v1/events", content=b"[" * 2_000_000)
    assert reply.status_code == 413
    assert reply.json()["code"] == "body_too_large"


def test_bytes_that_are_no_json_are_refused(app: "App") -> None:
    reply = app.person().call("POST", "/v1/events", content=b"{nope", headers={"Content-Type": "application/json"})
    assert reply.status_code == 422


def test_a_handle_is_unique(app: "App") -> None:
    person = app.person()
    reply = app.service.call("POST", "/v1/users", json={"handle": person.handle, "displayName": "Again"})
    assert reply.status_code == 409
    assert reply.json()["code"] == "handle_taken"
