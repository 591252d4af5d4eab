"""`photofeed simulate` on a seeded world in a state folder and the fake API."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from photofeed.offline_store.tables import ENGAGEMENT, FEED_SERVED
from simulation import simulate
from simulation.api_client import ApiClient
from simulation.demo import JOURNAL_FILE
from simulation.errors import BrokenPathError, SimulationError
from simulation.journal import Journal
from simulation.people import populate
from simulation.pictures.catalogue import topics
from simulation.scale import SMOKE
from simulation.simulate import run_comparison, run_sessions, wait_until_archived
from simulation.waiting import Polling
from simulation.world import SEEDED, World

SCALE = replace(SMOKE, readers=17, creators=3)
POPULATION = populate(4, SCALE.readers, SCALE.creators, topics())


@pytest.fixture
def world(api: Any, make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(ApiClient, "for_service", lambda _settings: api.client())
    return make_world(POPULATION, ["sea", "city", "nothing anybody knows"] * 10)


@pytest.fixture
def state(world: World, tmp_path: Path) -> Path:
    """A state folder with the journal of the seeded world."""
    journal = _journal(tmp_path)
    for index, user_id in world.people.items():
        journal.add_person(index, user_id)
    journal.mark(SEEDED)
    return tmp_path


def _journal(folder: Path) -> Journal:
    return Journal(folder / JOURNAL_FILE, seed=4, scale=SCALE, now=datetime.now(UTC))


def _console() -> tuple[Console, StringIO]:
    out = StringIO()
    return Console(file=out, width=200), out


def test_people_who_open_the_feed_more_often_have_more_sessions(api: Any, world: World, state: Path) -> None:
    console, out = _console()
    run_sessions(state, 200, 1, console)

    people = Counter(batch[0]["actorId"] for batch in api.batches)
    by_weight = np.argsort([person.sessions_weight for person in POPULATION.people])
    least, most = (sum(people[world.people[int(index)]] for index in half) for half in (by_weight[:10], by_weight[10:]))
    assert most > 1.5 * least
    assert "simulate feed sessions: " in out.getvalue()
    assert "200 users saw " in out.getvalue()


def test_the_same_seed_draws_the_same_people(api: Any, state: Path) -> None:
    for seed in (1, 1, 2):
        run_sessions(state, 5, seed, _console()[0])

    people = [batch[0]["actorId"] for batch in api.batches]
    assert people[:5] == people[5:10] != people[10:]


def test_who_waits_gets_back_when_the_lake_has_what_was_done(
    api: Any, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def rows() -> dict[str, int]:
        asked.append(len(api.batches))
        return {ENGAGEMENT: 7 + sum(map(len, api.batches)), FEED_SERVED: 3 + len(api.batches)}

    monkeypatch.setattr(simulate, "archived_rows", lambda _settings: rows)
    run_sessions(state, 5, 1, _console()[0], wait=True)
    assert (asked[0], asked[-1]) == (0, 5)


def test_each_table_of_the_lake_is_waited_for_and_an_archive_that_stands_still_is_told() -> None:
    clock = iter(range(0, 10_000, 10))
    polling = Polling(clock=lambda: next(clock), sleep=lambda _: None)
    written = iter([(0, 0), (90, 2), (95, 2), (95, 4)])

    def rows() -> dict[str, int]:
        return dict(zip((ENGAGEMENT, FEED_SERVED), next(written), strict=True))

    wait_until_archived(rows, {ENGAGEMENT: 50, FEED_SERVED: 4}, polling)
    assert next(written, None) is None
    with pytest.raises(BrokenPathError, match=r"rows archived: 52 of 54, no progress for 90 s"):
        wait_until_archived(lambda: {ENGAGEMENT: 95, FEED_SERVED: 2}, {ENGAGEMENT: 50, FEED_SERVED: 4}, polling)


@pytest.mark.parametrize(("people", "compared"), [(4, 4), (None, 20)])
def test_a_comparison_covers_the_number_of_people_or_everybody(
    api: Any, state: Path, people: int | None, compared: int
) -> None:
    comparison = run_comparison(state, people, 1, None, _console()[0])

    assert {len(values) for values in comparison.engagement.values()} == {compared}
    assert api.batches == []


def test_a_comparison_is_repeatable(state: Path) -> None:
    first, again, other = (run_comparison(state, 6, 1, seed, _console()[0]) for seed in (None, None, 7))

    assert first.to_json() == again.to_json() != other.to_json()


def test_a_folder_without_a_demo_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=r"there is no demo in .*: run `photofeed demo` first"):
        run_sessions(tmp_path, 2, None, _console()[0])


def test_an_incomplete_demo_is_refused(tmp_path: Path) -> None:
    _journal(tmp_path)

    with pytest.raises(SimulationError, match="is incomplete: run `photofeed demo` again"):
        run_comparison(tmp_path, 2, 1, None, _console()[0])
