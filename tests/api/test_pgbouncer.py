"""Everything works through a PgBouncer in transaction mode, where each transaction may have another session."""

import asyncio
import threading
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import psycopg
import pytest

from ingestion.outbox_relay import OutboxRelay
from photofeed import database
from photofeed.doctor.finding import Level
from photofeed.doctor.postgres import pooler, postgres
from photofeed.events import Envelope
from photofeed.ids import encode_id
from photofeed.tokens import SERVICE, mint_token
from photofeed.topics import Topic
from serving import bootstrap
from serving.app import create_app
from serving.reads import Reads, Statement
from tests.api.contract_client import ContractClient
from tests.api.feed_world import FeedWorld
from tests.doubles.event_log import InMemoryEventLog
from tools.pgbouncer import IS_INSTALLED, running_pgbouncer

if TYPE_CHECKING:
    from photofeed.settings import Settings

SESSIONS = 2  # of PostgreSQL for all clients, so that a client seldom gets the same one again
CLIENTS, PEOPLE, ROUNDS = 4, 7, 20  # psycopg prepares a statement after five executions
PATIENCE_SECONDS = 60.0
QUESTION = "select pg_backend_pid() as pid, %s::int as number, current_setting('timezone') as zone"


@pytest.fixture(scope="module")
def pooled(settings: "Settings", tmp_path_factory: pytest.TempPathFactory) -> Iterator["Settings"]:
    if not IS_INSTALLED:
        pytest.skip("pgbouncer is missing: apt-get install pgbouncer")
    with running_pgbouncer(settings, tmp_path_factory.mktemp("pgbouncer"), SESSIONS) as through:
        yield through


def test_statements_of_many_clients_share_few_sessions(pooled: "Settings") -> None:
    seen = set[int]()

    def work(number: int) -> None:
        with database.pool(pooled, size=1) as pool:
            for _ in range(ROUNDS):
                with pool.connection() as connection:
                    row = connection.execute(
                        "select pg_backend_pid() as pid, %s::int as number, current_setting('timezone') as zone",
                        (number,),
                    ).fetchone()
                    assert row is not None
                    assert (row["number"], row["zone"]) == (number, "UTC")
                    seen.add(row["pid"])

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(work, range(CLIENTS)))
    assert len(seen) <= SESSIONS


def test_reads_of_many_clients_get_their_own_answers(pooled: "Settings") -> None:
    statements = [Statement.of(f"select %(one)s::bigint * {factor}, now()") for factor in range(5)]

    async def story() -> None:
        reads = Reads(pooled, CLIENTS)

        async def ask(one: int, factor: int) -> None:
            ((answer, moment),) = await reads.rows(statements[factor], one=one)
            assert answer == one * factor
            assert moment.utcoffset().total_seconds() == 0

        await asyncio.gather(*(ask(one, one % 5) for one in range(CLIENTS * ROUNDS)))
        await reads.aclose()

    asyncio.run(story())


def test_nothing_can_be_written_by_reads(pooled: "Settings") -> None:
    async def story() -> None:
        reads = Reads(pooled)
        with pytest.raises(Exception, match="read-only transaction"):
            await reads.rows(Statement.of("delete from outbox"))
        await reads.aclose()

    asyncio.run(story())


def test_leaders_hold_their_locks_and_hear_of_new_messages(pooled: "Settings") -> None:
    name, stop, arrived = f"pooled-{uuid.uuid4().hex}", threading.Event(), threading.Event()

    class Telling(InMemoryEventLog):
        def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:
            super().publish(topic, envelopes)
            if topic == name:
                arrived.set()

    with database.connect(pooled) as first, database.connect(pooled) as second:
        assert database.try_leadership(first, database.REPLAY)
        assert not database.try_leadership(second, database.REPLAY)
    relaying = threading.Thread(target=OutboxRelay(lambda: database.connect(pooled), Telling(), stop).run)
    relaying.start()
    try:
        with database.pool(pooled) as pool, pool.connection() as connection:
            database.write_outbox_sync(connection, [(Topic(name, key="id"), Envelope("t", "k", {}))])
        assert arrived.wait(PATIENCE_SECONDS)
    finally:
        stop.set()
        relaying.join()


def test_the_api_serves_people_and_feeds(pooled: "Settings") -> None:
    world = FeedWorld(pooled)
    viewer, *others = world.people(10)
    world.follow(viewer, others)
    posts = world.posts(others)
    world.deliver(posts, [viewer])
    log = InMemoryEventLog()
    make_services = partial(bootstrap.services, connect_publisher=lambda _: log, redis_seconds=PATIENCE_SECONDS)
    service = {"Authorization": f"Bearer {mint_token(pooled, 0, frozenset({SERVICE}))}"}
    with ContractClient(create_app(pooled, make_services)) as http:
        feed = http.app_state["services"].feed
        feed.source_seconds = feed.postgres_seconds = PATIENCE_SECONDS
        mine = {"Authorization": f"Bearer {mint_token(pooled, viewer)}"}
        for _ in range(PEOPLE):
            handle = f"p{uuid.uuid4().hex[:12]}"
            made = http.post("/v1/users", json={"handle": handle, "displayName": "P"}, headers=service)
            assert made.status_code == 201, made.text
            followed = http.put(f"/v1/users/{made.json()['id']}/follow", headers=mine)
            assert followed.is_success, followed.text
            shown = list(_slate(http, mine))
            assert len(shown) == len(set(shown))
            assert {encode_id(post.post_id) for post in posts} <= set(shown)


def _slate(http: ContractClient, viewer: dict[str, str]) -> Iterator[str]:
    """The posts of a slate, page by page.

    The slate has posts of the pools too, which tests of one run share. A page may have fewer than it was asked for:
    posts that have been hidden since are withheld, and the third one in a row of an author waits for the next page.
    """
    page = http.get("/v1/feed?limit=5", headers=viewer)
    slate = page.json()["slateId"]
    while page.status_code == 200 and page.json()["slateId"] == slate:
        assert page.json()["skippedSources"] == []
        assert len(page.json()["items"]) <= 5
        yield from (item["post"]["id"] for item in page.json()["items"])
        cursor = page.json()["nextCursor"]
        if cursor is None:
            return
        page = http.get("/v1/feed", params={"limit": 5, "cursor": cursor}, headers=viewer)
    assert page.status_code == 200, page.text


def test_the_doctor_looks_at_the_time_limit_that_pgbouncer_sets(pooled: "Settings") -> None:
    found = {finding.name: finding for finding in postgres(pooled)}
    assert found["postgres.pooler"].level is Level.OK
    assert "1min" in found["postgres.pooler"].text
    (missing,) = pooler("0")
    assert missing.level is Level.WARNING


def test_without_the_direct_address_pgbouncer_refuses_the_pools(pooled: "Settings") -> None:
    wrong = pooled.model_copy(update={"database_direct_url": None})
    with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter"):
        database.connect(wrong)
