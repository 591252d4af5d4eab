"""Handles that nobody may take, and those who have one already."""

import uuid
from typing import TYPE_CHECKING

import pytest

from photofeed import database

if TYPE_CHECKING:
    from tests.api.conftest import App


@pytest.mark.parametrize("handle", ["..", "admin", "me", "explore", "a."])
def test_a_reserved_handle_is_refused_by_name(app: "App", handle: str) -> None:
    reply = app.service.call("POST", "/v1/users", json={"handle": handle, "displayName": "A"})
    assert (reply.status_code, reply.json()["code"]) == (422, "handle_reserved")
    assert handle in reply.json()["detail"]


def test_whoever_has_a_reserved_handle_stays_reachable(app: "App") -> None:
    person = app.person()
    handle = "root"
    with database.connect(app.settings) as connection:
        connection.execute("update users set handle = %s where handle = %s", (handle, person.handle))
    assert person.get(f"/v1/handles/{handle}")["id"] == person.id
    assert [one["handle"] for one in person.get("/v1/people?q=root")["items"]] == [handle]


def test_requests_are_counted_by_route_and_not_by_path(app: "App") -> None:
    person, made_up = app.person(), uuid.uuid4().hex
    for path in (f"/v1/users/{person.id}", "/v1/users/00000000000", f"/{made_up}", f"/v1/{made_up}"):
        person.call("GET", path)
    lines = [line for line in app.http.get("/metrics").text.splitlines() if line.startswith("photofeed_http_request")]
    assert made_up not in "".join(lines)
    assert person.id not in "".join(lines)
    counted = {line.rpartition(" ")[0] for line in lines if line.startswith("photofeed_http_requests_total")}
    for status in (200, 404):
        wanted = 'photofeed_http_requests_total{method="GET",route="/v1/users/{user_id}",status="%d"}'
        assert wanted % status in counted
    assert 'photofeed_http_requests_total{method="GET",route="other",status="404"}' in counted
