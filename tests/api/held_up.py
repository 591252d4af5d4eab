"""Concurrent calls in an order that tests control: they wait for row locks that the test holds."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from photofeed import database

if TYPE_CHECKING:
    from tests.api.conftest import App

Begin = Callable[..., Future[Any]]

_WAITING = "select 1 from pg_stat_activity where cardinality(pg_blocking_pids(pid)) > 0"


@contextmanager
def held_up(app: "App", hold: bytes, held: object, *, commit: bool = False) -> Iterator[Begin]:
    """Gives a function that starts a call, which then waits for locks of the statement `hold`.

    When the context is left, the statement is rolled back, or committed with `commit`, and all calls finish.
    """
    calls: list[Future[Any]] = []

    def begin(call: Callable[..., Any], *arguments: object) -> Future[Any]:
        calls.append(hands.submit(call, *arguments))
        with database.connect(app.settings) as connection:
            while not calls[-1].done() and len(connection.execute(_WAITING).fetchall()) < len(calls):
                pass
        return calls[-1]

    with ThreadPoolExecutor(2) as hands, database.connect(app.settings) as ours:
        with ours.transaction(force_rollback=not commit):
            ours.execute(hold, (held,))
            yield begin
        for call in calls:
            call.result()
