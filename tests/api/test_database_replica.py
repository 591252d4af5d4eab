"""The API and the relay go on after PostgreSQL's replica was promoted, and nothing acknowledged is lost."""

import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from ingestion.outbox_relay import OutboxRelay
from photofeed import database
from photofeed.ids import decode_id
from photofeed.tokens import SERVICE, mint_token
from photofeed.topics import ENGAGEMENT
from serving import bootstrap
from serving.app import create_app
from tests.doubles.event_log import InMemoryEventLog
from tests.postgres_pair import PostgresPair, postgres_pair

if TYPE_CHECKING:
    from photofeed.settings import Settings

BEFORE, AFTER = 10, 10
PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresPair]:
    with postgres_pair(tmp_path_factory.mktemp("pair")) as running:
        yield running


@dataclass
class Followers:
    """New people who follow the first one, one after the other, through the API."""

    http: TestClient
    settings: "Settings"
    acknowledged: list[str] = field(default_factory=list)
    refused: int = 0
    _first: str | None = None

    def until(self, number: int) -> None:
        """Continue until so many follows are acknowledged. Every other reply must be 503."""
        while len(self.acknowledged) < number:
            person = self._person()
            if person is None or self._first is None:
                self._first = self._first or person
                continue
            token = mint_token(self.settings, decode_id(person))
            reply = self.http.put(f"/v1/users/{self._first}/follow", headers={"Authorization": f"Bearer {token}"})
            if self._is_acknowledged(reply.status_code, reply.text):
                self.acknowledged.append(person)

    def _person(self) -> str | None:
        token = mint_token(self.settings, 0, frozenset({SERVICE}))
        body = {"handle": f"p{uuid.uuid4().hex[:12]}", "displayName": "P"}
        reply = self.http.post("/v1/users", json=body, headers={"Authorization": f"Bearer {token}"})
        return reply.json()["id"] if self._is_acknowledged(reply.status_code, reply.text) else None

    def _is_acknowledged(self, status: int, text: str) -> bool:
        if status == 503:
            self.refused += 1
            return False
        assert 200 <= status < 300, text
        return True


def test_the_api_and_the_relay_go_on_after_a_promotion(settings: "Settings", pair: PostgresPair) -> None:
    both = settings.model_copy(update={"database_url": SecretStr(pair.url)})
    database.migrate(both)
    log, stop = InMemoryEventLog(), threading.Event()
    relaying = threading.Thread(target=OutboxRelay(lambda: database.connect(both), log, stop).run)
    relaying.start()
    make_services = partial(bootstrap.services, connect_publisher=lambda _: log, redis_seconds=PATIENCE_SECONDS)
    try:
        with TestClient(create_app(both, make_services), base_url="http://127.0.0.1") as http:
            followers = Followers(http, both)
            followers.until(BEFORE)
            promoting = threading.Thread(target=pair.fail_over)
            promoting.start()
            followers.until(BEFORE + AFTER)
            promoting.join()
            reads = http.get("/v1/feed?limit=5", headers=_headers(both, followers.acknowledged[0]))
            assert reads.status_code == 200, reads.text
        with database.connect(both) as connection:
            kept = connection.execute("select follower_id from follows").fetchall()
        assert {row["follower_id"] for row in kept} >= {decode_id(person) for person in followers.acknowledged}
        _until_relayed(both, log, followers.acknowledged)
    finally:
        stop.set()
        relaying.join()


def _headers(settings: "Settings", person: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {mint_token(settings, decode_id(person))}"}


def _until_relayed(settings: "Settings", log: InMemoryEventLog, people: list[str]) -> None:
    """The relay empties the outbox on the new primary; every acknowledged follow is in the log."""
    waiting = threading.Event()
    for _ in range(int(PATIENCE_SECONDS)):
        with database.connect(settings) as connection:
            if connection.execute("select 1 from outbox limit 1").fetchone() is None:
                break
        waiting.wait(1.0)
    relayed = log.consumer("test", [ENGAGEMENT]).poll(1_000_000, 0)
    assert {message.key for message in relayed} >= {str(decode_id(person)) for person in people}
