"""The world under attack: a fresh stack with all workers and, if it is installed, Varnish; and people in it."""

import io
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from photofeed.embedded.stack import WITHOUT_MLFLOW, EmbeddedStack
from photofeed.ids import decode_id
from photofeed.settings import Settings
from photofeed.tokens import SERVICE, USER, mint_token
from tools.varnish import IS_INSTALLED, running_varnish

UPLOAD_SECONDS = 20  # upload addresses are short-lived here, so that what is parked can be looked for
WORKERS = ("relay", "photos", "photos", "fanout", "features", "removal", "sweeper")
_PHOTOFEED = str(Path(sys.executable).with_name("photofeed"))
_PATIENCE_SECONDS = 120.0


@dataclass(slots=True)
class Person:
    """Somebody with an account and a client of their own."""

    id: str
    handle: str
    http: httpx.Client

    def call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """A call with the person's token."""
        return self.http.request(method, path, **arguments)


@dataclass(slots=True)
class World:
    """The API and its people.

    Attributes:
        settings: of the stack.
        url: of the API; `edge` is that of Varnish in front of it, or None.
        http: a client without a token.
        owner: has a private account with `post`, on which `follower` wrote `comment`. `blocked` was blocked by them,
            `requester` asked to follow them, `stranger` did nothing.
        author: has a public account with `public_post`.
    """

    settings: Settings
    url: str
    edge: str | None
    folder: Path
    http: httpx.Client
    service: Person
    owned: ExitStack  # closes the clients of all people
    people: dict[str, Person] = field(default_factory=dict)
    post: str = ""
    public_post: str = ""
    comment: str = ""

    def person(self, scopes: Sequence[str] = (USER,), **words: Any) -> Person:
        """A new person, whose token has these scopes."""
        handle = f"a{uuid.uuid4().hex[:12]}"
        body = {"handle": handle, "displayName": "Attack"} | words
        user_id = self.service.call("POST", "/v1/users", json=body).raise_for_status().json()["id"]
        return Person(user_id, handle, self.client(mint_token(self.settings, decode_id(user_id), frozenset(scopes))))

    def client(self, token: str) -> httpx.Client:
        """A client with a token."""
        headers = {"Authorization": f"Bearer {token}"}
        return self.owned.enter_context(httpx.Client(base_url=self.url, timeout=30, headers=headers))

    def upload(self, owner: Person, color: int, **words: Any) -> str:
        """Upload a photo of one colour, and wait until it is ready; returns its id."""
        photo = self.start_upload(owner, color, **words)
        wait_for(lambda: owner.call("GET", f"/v1/photos/{photo}").json()["status"] == "ready")
        return photo

    def start_upload(self, owner: Person, color: int, **words: Any) -> str:
        """Upload a photo of one colour; returns its id."""
        ticket = owner.call("POST", "/v1/photos/initiate").raise_for_status().json()
        httpx.put(ticket["uploadUrl"], content=jpeg(color)).raise_for_status()
        photo: str = ticket["photoId"]
        owner.call("POST", f"/v1/photos/{photo}/complete", json=words).raise_for_status()
        return photo


def jpeg(color: int, size: tuple[int, int] = (320, 240)) -> bytes:
    """A picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size, (color % 256, 90, 200)).save(file, "JPEG")
    return file.getvalue()


def wait_for(ready: Callable[[], bool], seconds: float = _PATIENCE_SECONDS) -> float:
    """Wait until something is so; returns how many seconds it took.

    Raises:
        TimeoutError: it was not in time.
    """
    began = time.monotonic()
    while not ready():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"still waiting after {seconds:.0f} s")
        time.sleep(0.1)
    return time.monotonic() - began


@contextmanager
def running_world(folder: Path) -> Iterator[World]:
    """A stack with all workers of photos and follows; everything stops when the context is left."""
    stack = EmbeddedStack(folder / "stack")
    with ExitStack() as owned:
        owned.callback(stack.stop)
        stack.start(servers=WITHOUT_MLFLOW)
        settings = stack.settings()
        edge = None
        if IS_INSTALLED:
            edge = owned.enter_context(running_varnish(folder / "edge", settings.port))
        environment = {
            **os.environ,
            "PHOTOFEED_STATE_DIR": str(stack.state.path),
            "PHOTOFEED_UPLOAD_URL_SECONDS": str(UPLOAD_SECONDS),
            "PHOTOFEED_UPLOAD_GRACE_SECONDS": "5",
            "PHOTOFEED_SWEEP_SECONDS": "2",
            "PHOTOFEED_NEW_ACCOUNT_HOURS": "24",  # as in production
            **({"PHOTOFEED_CDN_PURGE_URL": edge} if edge else {}),
        }
        subprocess.run([_PHOTOFEED, "setup"], check=True, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603
        for name in ("serve", *WORKERS, *(("purge",) if edge else ())):
            owned.enter_context(_process(folder, name, environment))
        http = owned.enter_context(httpx.Client(base_url=settings.public_url, timeout=30))
        wait_for(lambda: _answers(http))
        world = World(settings, settings.public_url, edge, folder, http, Person("", "", http), owned)
        world.service = Person("", "", world.client(mint_token(settings, 0, frozenset({SERVICE}))))
        _populate(world)
        yield world


@contextmanager
def _process(folder: Path, name: str, environment: dict[str, str]) -> Iterator[None]:
    arguments = (name,) if name == "serve" else ("work", name)
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen([_PHOTOFEED, *arguments], env=environment, stdout=log, stderr=log)  # noqa: S603
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/healthz").is_success
    except httpx.TransportError:
        return False


def _populate(world: World) -> None:
    people = {name: world.person() for name in ("owner", "follower", "requester", "blocked", "stranger", "author")}
    world.people = people
    owner, follower = people["owner"], people["follower"]
    world.post = world.upload(owner, 10, caption="confidential words", tags=["confidential"])
    world.public_post = world.upload(people["author"], 20, caption="open words")
    follower.call("PUT", f"/v1/users/{owner.id}/follow").raise_for_status()
    said = follower.call("POST", f"/v1/posts/{world.post}/comments", json={"text": "first"}).raise_for_status()
    world.comment = said.json()["id"]
    owner.call("PATCH", "/v1/me", json={"isPrivate": True}).raise_for_status()
    people["requester"].call("PUT", f"/v1/users/{owner.id}/follow").raise_for_status()
    owner.call("PUT", f"/v1/users/{people['blocked'].id}/block").raise_for_status()
