"""A running API with a few people and posts, for calls made up from its document."""

import io
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from photofeed.embedded.stack import EmbeddedStack
from photofeed.ids import decode_id
from photofeed.settings import Settings
from photofeed.tokens import ADMIN, MODERATOR, SERVICE, USER, mint_token

_PHOTOFEED = str(Path(sys.executable).with_name("photofeed"))
_PATIENCE_SECONDS = 120
_PEOPLE, _POSTS_EACH = 4, 2


@dataclass(frozen=True, slots=True)
class World:
    """The API's address, tokens, and ids of things that exist.

    Attributes:
        url: of the API.
        token: of a person who is also moderator and admin.
        service_token: of a service, which has no person of its own.
        ids: examples of path parameters, by name.
        settings: of the running system.
    """

    url: str
    token: str
    service_token: str
    ids: dict[str, str]
    settings: Settings


@contextmanager
def running_world(folder: Path) -> Iterator[World]:
    """The API and its photo worker on a stack of their own in a folder; both stop when the context is left.

    Raises:
        EmbeddedStackError: a server cannot start.
        TimeoutError: the API or the worker is not ready in time.
    """
    stack = EmbeddedStack(folder)
    started: list[subprocess.Popen[bytes]] = []
    environment = {**os.environ, "PHOTOFEED_STATE_DIR": str(folder), "PHOTOFEED_RATE_LIMITS": "false"}
    try:
        stack.start()
        settings = stack.settings()
        subprocess.run([_PHOTOFEED, "setup"], check=True, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603
        for arguments in (("serve",), ("work", "relay"), ("work", "photos")):
            with (folder / f"{arguments[-1]}.log").open("wb") as log:
                started.append(
                    subprocess.Popen([_PHOTOFEED, *arguments], env=environment, stdout=log, stderr=log)  # noqa: S603
                )
        yield _populate(settings)
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()
        stack.stop()


def _populate(settings: Settings) -> World:
    service = mint_token(settings, 0, frozenset({SERVICE}))
    with httpx.Client(base_url=settings.public_url, timeout=30) as http:
        _wait(lambda: _answers(http, "/readyz"))
        people = [_add_person(http, service) for _ in range(_PEOPLE)]
        photos = [
            _upload(http, service, owner, color)
            for color, owner in enumerate(person for person in people for _ in range(_POSTS_EACH))
        ]
        for photo, owner in photos:
            _wait(lambda photo=photo, owner=owner: _is_ready(http, service, photo, owner))
        me, other = people[0], people[1]
        token = mint_token(settings, decode_id(me), frozenset({USER, MODERATOR, ADMIN}))
        mine = {"Authorization": f"Bearer {token}"}
        for person in people[1:]:
            http.put(f"/v1/users/{person}/follow", headers=mine).raise_for_status()
        post = next(photo for photo, owner in photos if owner == other)
        comment = http.post(f"/v1/posts/{post}/comments", headers=mine, json={"text": "Hello"}).raise_for_status()
    ids = {"user_id": other, "post_id": post, "photo_id": photos[0][0], "comment_id": comment.json()["id"]}
    return World(settings.public_url, token, service, ids, settings)


def _add_person(http: httpx.Client, service: str) -> str:
    handle = f"c{uuid.uuid4().hex[:12]}"
    headers = {"Authorization": f"Bearer {service}"}
    reply = http.post("/v1/users", headers=headers, json={"handle": handle, "displayName": "Contract"})
    person: str = reply.raise_for_status().json()["id"]
    return person


def _upload(http: httpx.Client, service: str, owner: str, color: int) -> tuple[str, str]:
    """Upload a photo of one colour; returns its id and its owner's."""
    headers = {"Authorization": f"Bearer {service}", "Act-As": owner}
    ticket = http.post("/v1/photos/initiate", headers=headers).raise_for_status().json()
    file = io.BytesIO()
    Image.new("RGB", (320, 240), (30 * color % 256, 90, 200)).save(file, "JPEG")
    httpx.put(ticket["uploadUrl"], content=file.getvalue()).raise_for_status()
    words = {"caption": "A plain colour", "tags": ["colour"]}
    http.post(f"/v1/photos/{ticket['photoId']}/complete", headers=headers, json=words).raise_for_status()
    return ticket["photoId"], owner


def _is_ready(http: httpx.Client, service: str, photo: str, owner: str) -> bool:
    headers = {"Authorization": f"Bearer {service}", "Act-As": owner}
    status: str = http.get(f"/v1/photos/{photo}", headers=headers).raise_for_status().json()["status"]
    return status == "ready"


def _answers(http: httpx.Client, path: str) -> bool:
    try:
        return http.get(path).is_success
    except httpx.TransportError:
        return False


def _wait(ready: Any) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not ready():
        if time.monotonic() > until:
            raise TimeoutError("the API or its photo worker is not ready")
        time.sleep(0.2)
