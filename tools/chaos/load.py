"""Steady load through HTTP: each client does one thing after the other, and tries again until it is answered."""

import io
import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from PIL import Image

from photofeed.events import event_id
from photofeed.ids import decode_id
from photofeed.tokens import SERVICE, mint_token
from tools.chaos.ledger import COMMENT, Ledger
from tools.chaos.target import Target

PEOPLE = 16
CLIENTS = 5
PAUSE_SECONDS = 0.12
_ANSWER_SECONDS = 30.0
_AGAIN_SECONDS = 0.25
_AGAIN = frozenset({429, 502, 503, 504})
_WRONG = frozenset({400, 401, 403, 422})  # nothing that clients do here is to be answered like this
_REPEATED = 0.15  # of accepted batches are sent a second time
_ATTEMPTS = 400  # of one call: longer than any fault


class LostError(Exception):
    """The run ended before a call was answered."""


@dataclass(slots=True)
class Load:
    """Clients of all people, in threads.

    Attributes:
        receipts: whether events name the receipt of a feed's item; clients of version 0.1.0 know none.
        deletes: how often a photo is deleted, if two are uploaded.
        posts: ids of the photos that are posts, with their authors; others than the clients' may be given.
    """

    target: Target
    ledger: Ledger
    seed: int
    receipts: bool = True
    clients: int = CLIENTS
    deletes: int = 1
    people: list[int] = field(default_factory=list)
    posts: dict[str, int] = field(default_factory=dict)
    _tokens: dict[int, str] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def begin(self) -> None:
        """Make people, and start the clients."""
        with httpx.Client(timeout=_ANSWER_SECONDS) as http:
            service = {"Authorization": f"Bearer {mint_token(self.target.settings, 0, frozenset({SERVICE}))}"}
            for _ in range(PEOPLE):
                body = {"handle": f"c{uuid.uuid4().hex[:12]}", "displayName": "Chaos"}
                reply = http.post(f"{self.target.urls[0]}/v1/users", json=body, headers=service).raise_for_status()
                self.people.append(decode_id(reply.json()["id"]))
        for number in range(self.clients):
            client = Client(
                self, random.Random(f"{self.seed} {number}"), self.target.urls[number % 2 :] + self.target.urls
            )
            self._threads.append(threading.Thread(target=client.run, name=f"client-{number}", daemon=True))
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stop the clients; calls that were not answered are given up."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def ended(self) -> bool:
        """Whether clients must end."""
        return self._stop.is_set()

    def pause(self, seconds: float) -> None:
        """Wait, unless the run ends."""
        self._stop.wait(seconds)

    def headers(self, person: int) -> dict[str, str]:
        """The token of a person."""
        if person not in self._tokens:
            self._tokens[person] = mint_token(self.target.settings, person)
        return {"Authorization": f"Bearer {self._tokens[person]}"}


@dataclass(slots=True)
class Client:
    """One client, which acts for one person after the other. Its calls go to the first API that takes them."""

    load: Load
    random: random.Random
    urls: tuple[str, ...]
    shown: list[dict[str, Any]] = field(default_factory=list)
    viewer: int = 0
    slate: str = ""
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=_ANSWER_SECONDS))

    def run(self) -> None:
        """Act until the run ends."""
        doings: list[tuple[int, Callable[[], None]]] = [
            (8, self.feed), (6, self.report), (3, self.like), (2, self.follow), (2, self.comment), (2, self.upload),
            (self.load.deletes, self.delete),
        ]  # fmt: skip
        weights, choices = zip(*doings, strict=True)
        with self.http:
            while not self.load.ended:
                try:
                    self.random.choices(choices, weights)[0]()
                except LostError:
                    return
                except Exception as error:  # noqa: BLE001  whatever it was, it is told, and the client goes on
                    with self.load.ledger.lock:
                        self.load.ledger.misunderstood.append(repr(error))
                self.load.pause(PAUSE_SECONDS)

    def feed(self) -> None:
        """Read a page of a feed; it is not asked for again, as a person would not."""
        person, began = self.random.choice(self.load.people), time.monotonic()
        try:
            reply = self._once("GET", "/v1/feed", person)
        except httpx.TransportError:
            self.load.ledger.fed(began, None)
            return
        if not reply.is_success:
            self.load.ledger.fed(began, None, _origin(reply))
            return
        page = reply.json()
        self.load.ledger.fed(began, page["ranking"], _origin(reply))
        if page["items"]:
            self.viewer, self.slate = person, page["slateId"]
            self.shown = [item | {"position": position} for position, item in enumerate(page["items"])]

    def report(self) -> None:
        """Report what the person did with the posts of the last feed."""
        if not self.shown:
            self.feed()
            return
        items, self.shown = self.shown[:10], self.shown[10:]
        events = []
        for item in items:
            kinds = self.random.sample(["dwell", "open", "share", "save"], 1)
            for kind in ("impression", *kinds):
                event = {"id": uuid.uuid4().hex, "type": kind, "postId": item["post"]["id"]} | self._where(item)
                events.append(event | ({"dwellMs": self.random.randint(200, 20_000)} if kind == "dwell" else {}))
        viewer = self.viewer
        reply = self._until_answered("POST", "/v1/events", viewer, json={"events": events}, note=self._reported)
        if not reply.is_success:
            return
        refused = {one["id"] for one in reply.json()["refused"]}
        stateless = [one["id"] for one in events if one["id"] not in refused and one["type"] != "save"]
        with self.load.ledger.lock:
            self.load.ledger.events.update(event_id(viewer, one) for one in stateless)
        if self.random.random() < _REPEATED:
            self._until_answered("POST", "/v1/events", viewer, json={"events": events}, note=self._reported)

    def _where(self, item: dict[str, Any]) -> dict[str, Any]:
        """Where an item was shown."""
        if self.load.receipts:
            return {"receipt": item["receipt"]}
        return {"slateId": self.slate, "position": item["position"]}

    def like(self) -> None:
        """Like a post, or take a like back."""
        self._change("likes", self._some_post(), "/v1/posts/{}/like")

    def follow(self) -> None:
        """Follow a person, or let them go."""
        person = self.random.choice(self.load.people)
        self._change("follows", (self._code(person), person), "/v1/users/{}/follow")

    def comment(self) -> None:
        """Write a comment; an answer that was lost is asked for with the same key."""
        post = self._some_post()
        if post is None:
            return
        text, key = f"{COMMENT}{uuid.uuid4().hex}", {"Idempotency-Key": uuid.uuid4().hex}
        person = self.random.choice(self.load.people)
        path = f"/v1/posts/{post[0]}/comments"
        reply = self._until_answered("POST", path, person, json={"text": text}, headers=key)
        if reply.status_code == httpx.codes.CREATED:
            with self.load.ledger.lock:
                self.load.ledger.comments[text] = post[0]

    def upload(self) -> None:
        """Upload a photo: initiate, PUT, complete."""
        person = self.random.choice(self.load.people)
        ticket = self._until_answered("POST", "/v1/photos/initiate", person).json()
        if "uploadUrl" not in ticket:
            return
        self._put(ticket["uploadUrl"], _picture(self.random))
        photo: str = ticket["photoId"]
        reply = self._until_answered("POST", f"/v1/photos/{photo}/complete", person, json={})
        if reply.status_code == httpx.codes.ACCEPTED:
            with self.load.ledger.lock:
                self.load.ledger.uploads[photo] = person
                self.load.posts[photo] = person

    def delete(self) -> None:
        """Delete a photo, as long as there are enough others."""
        with self.load.ledger.lock:
            mine = list(self.load.posts)
            if len(mine) < 2 * self.load.clients:
                return
            photo = self.random.choice(mine)
            owner = self.load.posts.pop(photo)
            self.load.ledger.maybe_deleted.add(photo)
        reply = self._until_answered("DELETE", f"/v1/photos/{photo}", owner)
        if reply.is_success or reply.status_code == httpx.codes.NOT_FOUND:
            with self.load.ledger.lock:
                self.load.ledger.deleted.add(photo)

    def _some_post(self) -> tuple[str, int] | None:
        with self.load.ledger.lock:
            posts = list(self.load.posts)
        post = self.random.choice(posts) if posts else None
        return None if post is None else (post, decode_id(post))

    def _code(self, person: int) -> str:
        from photofeed.ids import encode_id  # noqa: PLC0415

        return encode_id(person)

    def _change(self, table: str, target: tuple[str, int] | None, path: str) -> None:
        person = self.random.choice(self.load.people)
        if target is None or target[1] == person:
            return
        link, adds = (table, person, target[1]), self.random.random() < 0.75  # noqa: PLR2004  more than are taken back
        with self.load.ledger.lock:
            if link in self.load.ledger.links and self.load.ledger.links[link] is None:
                return  # another client changes it now, or its answer was lost
        with self.load.ledger.changing(link) as became:
            reply = self._until_answered("PUT" if adds else "DELETE", path.format(target[0]), person)
            if reply.is_success:
                became(there=adds)

    def _put(self, url: str, data: bytes) -> None:
        for _ in range(_ATTEMPTS):
            try:
                if self.http.put(url, content=data).is_success:
                    return
            except httpx.TransportError:
                pass
            self._wait()

    def _until_answered(
        self, method: str, path: str, person: int, note: Callable[[bool], None] | None = None, **arguments: Any
    ) -> httpx.Response:
        """The answer to a call; `note` is told of each attempt whether it was taken.

        Raises:
            LostError: the run ended before.
        """
        for _ in range(_ATTEMPTS):
            try:
                reply = self._once(method, path, person, **arguments)
            except httpx.TransportError:
                taken = False
            else:
                taken = reply.status_code not in _AGAIN and not reply.is_server_error
            if note is not None:
                note(taken)
            if taken:
                return reply
            self._wait()
        raise LostError

    def _reported(self, accepted: bool) -> None:
        self.load.ledger.reported(accepted=accepted)

    def _wait(self) -> None:
        if self.load.ended:
            raise LostError
        self.load.pause(_AGAIN_SECONDS)

    def _once(self, method: str, path: str, person: int, **arguments: Any) -> httpx.Response:
        """One attempt, as a load balancer makes it: at the other API if the first does not take the connection.

        Raises:
            httpx.TransportError: none of them answered.
        """
        headers = self.load.headers(person) | arguments.pop("headers", {})
        for url in self.urls[:2]:
            try:
                reply = self.http.request(method, url + path, headers=headers, **arguments)
            except httpx.TransportError as error:
                failed: httpx.TransportError = error
                continue
            told = f"{method} {path}: {reply.status_code} {reply.text}"
            with self.load.ledger.lock:
                if reply.status_code == httpx.codes.INTERNAL_SERVER_ERROR:
                    self.load.ledger.http500.append((url, told))
                elif reply.status_code in _WRONG:
                    self.load.ledger.refused.append(told)
            return reply
        raise failed


def _origin(reply: httpx.Response) -> str:
    """The URL of the API that answered."""
    return f"{reply.url.scheme}://{reply.url.netloc.decode()}"


def _picture(chance: random.Random) -> bytes:
    """A small picture that no other upload has."""
    noise = Image.frombytes("RGB", (12, 9), chance.randbytes(12 * 9 * 3)).resize((480, 360))
    file = io.BytesIO()
    noise.save(file, "JPEG", quality=80)
    return file.getvalue()
