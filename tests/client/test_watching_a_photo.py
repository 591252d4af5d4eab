"""A client that watches its photo with server-sent events, on the running system."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Protocol

import httpx
import pytest
from PIL import Image

PATIENCE_SECONDS = 60.0


class RunningApp(Protocol):
    """The part of the fixture `running_app` that this test uses."""

    base_url: str
    service_token: str

    def token(self, user_id: str) -> str:
        """A person's own token."""


@pytest.fixture
def author(running_app: RunningApp) -> Iterator[httpx.Client]:
    body = {"handle": f"watcher_{uuid.uuid4().hex[:12]}", "displayName": "Watcher"}
    headers = {"Authorization": f"Bearer {running_app.service_token}"}
    reply = httpx.post(f"{running_app.base_url}/v1/users", json=body, headers=headers).raise_for_status()
    token = running_app.token(reply.json()["id"])
    with httpx.Client(
        base_url=running_app.base_url, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE_SECONDS
    ) as client:
        yield client


@contextmanager
def watched(author: httpx.Client, photo_id: str, known: str | None = None) -> Iterator[Iterator[str]]:
    """The statuses of a photo as the stream sends them after the `known` one."""
    headers = {} if known is None else {"Last-Event-ID": known}
    with author.stream("GET", f"/v1/photos/{photo_id}/status", headers=headers) as reply:
        events = (line.removeprefix("data: ") for line in reply.iter_lines() if line.startswith("data: "))
        yield (json.loads(event)["status"] for event in events)


def test_the_stream_sends_changes_until_the_photo_is_ready(author: httpx.Client) -> None:
    file = BytesIO()
    Image.linear_gradient("L").save(file, "JPEG")
    initiated = author.post("/v1/photos/initiate").json()
    with watched(author, initiated["photoId"]) as told:
        assert next(told) == "awaiting_upload"
        httpx.put(initiated["uploadUrl"], content=file.getvalue()).raise_for_status()
        author.post(f"/v1/photos/{initiated['photoId']}/complete").raise_for_status()
        changes = list(told)
    assert changes[-1] == "ready"
    assert set(changes[:-1]) <= {"processing"}
    stream = author.get(f"/v1/photos/{initiated['photoId']}/status").text
    retry, last = stream.split("\n\n")[:2]
    assert retry.startswith("retry: ")
    assert last.split("\n")[:2] == ["id: ready", "event: status"]


def test_a_client_that_connects_again_is_told_only_what_is_new(author: httpx.Client) -> None:
    file = BytesIO()
    Image.linear_gradient("L").save(file, "JPEG")
    initiated = author.post("/v1/photos/initiate").json()
    path = f"/v1/photos/{initiated['photoId']}/status"
    with watched(author, initiated["photoId"], known="awaiting_upload") as told:
        httpx.put(initiated["uploadUrl"], content=file.getvalue()).raise_for_status()
        author.post(f"/v1/photos/{initiated['photoId']}/complete").raise_for_status()
        changes = list(told)
    assert "awaiting_upload" not in changes
    assert changes[-1] == "ready"
    # 204 tells an EventSource to connect no more
    assert author.get(path, headers={"Last-Event-ID": "ready"}).status_code == 204
    assert author.get(path, headers={"Last-Event-ID": "a status of another version"}).status_code == 200
    assert author.get(path, headers={"Last-Event-ID": "x" * 65}).status_code == 422


def test_the_stream_ends_when_the_photo_is_deleted(author: httpx.Client) -> None:
    photo_id = author.post("/v1/photos/initiate").json()["photoId"]
    with watched(author, photo_id) as told:
        assert next(told) == "awaiting_upload"
        author.delete(f"/v1/photos/{photo_id}").raise_for_status()
        assert list(told) == []
