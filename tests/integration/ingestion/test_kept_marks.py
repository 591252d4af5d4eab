"""Marks of work in Redis: work that is lost is noticed by its own process, and by one that starts after it."""

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from ingestion.kept_marks import KeptMarks
from photofeed import database
from photofeed.database import Database
from photofeed.errors import UnavailableError
from photofeed.redis_client import RedisClient, connect_redis

if TYPE_CHECKING:
    from photofeed.settings import Settings


@pytest.fixture
def client(settings: "Settings") -> Iterator[RedisClient]:
    with connect_redis(settings) as client:
        yield client


@pytest.fixture
def pool(settings: "Settings") -> Iterator[Database]:
    with database.pool(settings) as pool:
        yield pool


@pytest.fixture
def kind() -> str:
    return f"work-{uuid.uuid4().hex}"


def _finished(pool: Database, client: RedisClient, kind: str, times: int = 2) -> KeptMarks:
    """A process that has finished some work."""
    marks = KeptMarks(pool, client, kind)
    for _ in range(times):
        assert marks.is_whole()
        marks.finish()
    return marks


def _lose(client: RedisClient, marks: KeptMarks) -> None:
    client.delete(f"mark:{marks._mine.owner}")


def _kept(pool: Database, marks: KeptMarks) -> int | None:
    with pool.connection() as connection:
        row = connection.execute("select number from write_marks where owner = %s", (marks._mine.owner,)).fetchone()
    return None if row is None else int(row["number"])


def test_work_that_redis_has_lost_is_noticed_until_it_is_repaired(
    pool: Database, client: RedisClient, kind: str
) -> None:
    marks = _finished(pool, client, kind)
    assert (marks.is_whole(), marks.look().lowest, _kept(pool, marks)) == (True, 2, 2)
    _lose(client, marks)
    assert not marks.is_whole()
    marks.repaired()
    assert (marks.is_whole(), marks.look().lowest) == (True, 2)


@pytest.mark.parametrize("loss", ["mark", "process"])
def test_work_during_which_redis_was_lost_is_not_finished(
    pool: Database, client: RedisClient, kind: str, loss: str
) -> None:
    marks = _finished(pool, client, kind)
    assert marks.is_whole()
    if loss == "mark":
        _lose(client, marks)
    else:
        marks._servers = frozenset({"of before"})
    with pytest.raises(UnavailableError):
        marks.finish()
    assert _kept(pool, marks) == 2


def test_a_new_process_notices_what_others_of_its_kind_have_lost(
    pool: Database, client: RedisClient, kind: str
) -> None:
    former = _finished(pool, client, kind)
    assert KeptMarks(pool, client, kind).is_whole()
    _lose(client, former)
    assert KeptMarks(pool, client, f"{kind}-other").is_whole()
    later = KeptMarks(pool, client, kind)
    assert not later.is_whole()
    later.repaired()
    assert later.is_whole()


def test_a_process_that_ended_long_ago_is_forgotten(pool: Database, client: RedisClient, kind: str) -> None:
    former, recent = _finished(pool, client, kind), _finished(pool, client, kind)
    moved = "update write_marks set marked_at = now() - interval '25 hours' where owner = %s"
    with pool.connection() as connection:
        connection.execute(moved, (former._mine.owner,))
    assert KeptMarks(pool, client, kind).is_whole()
    assert (_kept(pool, former), former.look().lowest) == (None, 0)
    assert (_kept(pool, recent), recent.look().lowest) == (2, 2)
