"""`photofeed import` on real servers: rows of any kind and age, refused rows, repeats, and what is trained from it."""

import csv
import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ingestion.bootstrap.engagement import end_when_wanted, taking_over_features
from ingestion.commands import app
from ingestion.engagement.counted_log import read_log
from ingestion.importing.run import ImportResult, Journal, Progress, import_folder
from photofeed import database
from photofeed.events import Action
from photofeed.features.event_columns import EventColumns
from photofeed.features.ranking import FEATURE_NAMES
from photofeed.offline_store.lake import LakeFolder, open_lake
from photofeed.redis_client import connect_redis
from photofeed.settings import Settings
from tests.command_line import set_up, with_own_feature_repo
from training.data.dataset import build_dataset
from training.data.sources import Sources
from training.data.window import Window

START = datetime(1997, 9, 20, 8, tzinfo=UTC)  # any age: before ids, and before this millennium


@dataclass(frozen=True)
class World:
    """A photofeed with a lake, a Redis and a feature repo of its own, and a folder of files."""

    settings: Settings
    folder: Path

    def csv(self, table: str, header: str, *rows: Sequence[Any]) -> None:
        with (self.folder / f"{table}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header.split(","), *rows])

    @property
    def report(self) -> Path:
        return self.folder / "report"

    def run(self, progress: Progress = lambda *_: None, *, features: bool = False) -> ImportResult:
        """Import the files; computing features takes seconds, so most tests do without."""
        self.report.mkdir(exist_ok=True)
        if not features:
            Journal.of(self.report).note(has_features=True)
        return import_folder(self.settings, self.folder, progress, self.report)

    def events(self, people: str) -> EventColumns:
        """The events in the lake of people whose external ids begin so."""
        ids = self.rows("select user_id from external_ids where external_id like %s", f"{people}%")
        events = EventColumns.join(list(read_log(open_lake(self.settings), self.settings.bucket_lake)))
        return events.take(np.isin(events.user_id, [user for (user,) in ids]))

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with database.connect(self.settings) as connection:
            return [tuple(row.values()) for row in connection.execute(query, values)]


@pytest.fixture(scope="module")
def apart(settings_apart: Callable[[int], Settings], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a photofeed that is set up, and that no worker uses."""
    settings = with_own_feature_repo(settings_apart(10), tmp_path_factory.mktemp("importing"), "importing")
    set_up(settings)
    with connect_redis(settings) as client:
        yield settings
        client.flushdb()


@pytest.fixture
def world(apart: Settings, tmp_path: Path) -> World:
    return World(apart, tmp_path)


def at(minutes: float) -> str:
    return (START + timedelta(minutes=minutes)).isoformat()


def test_times_without_a_zone_are_utc_wherever_the_machine_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = duckdb.connect

    def in_new_york(*where: Any, **options: Any) -> duckdb.DuckDBPyConnection:
        return connect(*where, **options).execute("set timezone = 'America/New_York'")

    monkeypatch.setattr(duckdb, "connect", in_new_york)
    world.csv(
        "users",
        "user_id,created_at",
        ("zone-ann", "2020-01-01 12:00:00"),
        ("zone-bob", "2020-01-01"),
        ("zone-cy", "2020-01-01T12:00:00+02:00"),
        ("zone-dan", "1577880000"),
    )
    world.run()
    made = world.rows(
        "select external_id, created_at from external_ids join users on id = user_id where external_id like 'zone-%%'"
    )
    assert {name: moment.astimezone(UTC).hour for name, moment in made} == {
        "zone-ann": 12,
        "zone-bob": 0,
        "zone-cy": 10,
        "zone-dan": 12,
    }


def test_bad_rows_are_refused_by_name_and_good_ones_are_kept(world: World) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    world.csv(
        "users",
        "user_id,created_at",
        ("bad-ann", ""),
        ("bad-bob", "2020-01-01"),
        ("bad-ann", ""),
        ("", ""),
        ("bad-cy", "yesterday"),
        ("bad-dan", soon),
        ("bad-eve", "0"),
    )
    world.csv(
        "items", "item_id,creator_id,tags", ("bad-1", "bad-bob", "a | b|"), ("bad-2", "nobody", ""), ("bad-3", "", "")
    )
    world.csv(
        "follows",
        "follower_id,followee_id,created_at",
        ("bad-ann", "bad-bob", at(0)),
        ("bad-ann", "bad-ann", at(0)),
        ("bad-ann", "bad-cy", at(0)),
    )
    world.csv(
        "impressions",
        "position,user_id,item_id,slate_id,occurred_at",
        (1, "bad-ann", "bad-3", "s", at(2)),
        (0, "bad-ann", "bad-1", "s", at(1)),  # out of order
        (0, "bad-ann", "bad-1", "s", at(1)),
        (0, "stranger", "bad-1", "s", at(1)),
        (0, "bad-ann", "bad-2", "s", at(1)),
        ("first", "bad-ann", "bad-1", "t", at(1)),
        ("1.5", "bad-ann", "bad-1", "t", at(1)),
        (-1, "bad-ann", "bad-1", "t", at(1)),
        (0, "bad-ann", "bad-1", "t", soon),
    )
    with (world.folder / "impressions.csv").open("a", newline="") as file:
        file.write("one,two\r\n")
    world.csv(
        "actions",
        "user_id,item_id,action,occurred_at,dwell_ms",
        ("bad-ann", "bad-1", "like", at(3), ""),
        ("bad-ann", "bad-1", "dwell", at(3), "1200"),
        ("bad-ann", "bad-1", "dwell", at(3), ""),
        ("bad-ann", "bad-1", "adore", at(3), ""),
        ("bad-ann", "bad-1", "like", at(3), "1200"),
    )
    done = world.run()
    refused = {each.table: (each.taken, each.reasons) for each in done.verdicts}
    assert refused == {
        "users": (
            2,
            {
                "a duplicate of an earlier row": 1,
                "created_at: before 1971": 1,
                "created_at: in the future": 1,
                "created_at: not a time": 1,
                "user_id: missing": 1,
            },
        ),
        "items": (2, {"creator_id: not among the users": 1}),
        "follows": (
            1,
            {"followee_id: a person cannot follow themselves": 1, "followee_id: not among the users": 1},
        ),
        "impressions": (
            2,
            {
                "position: not a whole number": 2,
                "a duplicate of an earlier row": 1,
                "item_id: not among the items": 1,
                "occurred_at: in the future": 1,
                "position: not from 0 to 1000000": 1,
                "the line does not have one value per column": 1,
                "user_id: not among the users": 1,
            },
        ),
        "actions": (
            2,
            {
                "action: not among the words of the schema": 1,
                "dwell_ms: missing": 1,
                "dwell_ms: only dwell has it": 1,
            },
        ),
    }
    with (done.report / "refused-impressions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert ("4", "user_id: not among the users", "stranger") in [(r["row"], r["reason"], r["user_id"]) for r in rows]

    events = world.events("bad-")
    assert sorted(np.array(list(Action))[events.action].tolist()) == [
        "dwell",
        "follow",
        "impression",
        "impression",
        "like",
    ]
    [(first, tags, creator), (third, _, no_creator)] = world.rows(
        """select p.id, p.tags, u.display_name from posts p left join users u on u.id = p.author_id
        join external_ids e on e.post_id = p.id where e.external_id like %s order by e.external_id""",
        "bad-%",
    )
    assert tags == ["a", "b"]
    assert creator.startswith("ext_")
    assert no_creator is None
    shown = events.did(Action.IMPRESSION)
    assert set(events.post_id[shown].tolist()) == {first, third}
    assert set(events.creator_id[events.post_id == third].tolist()) == {third}


def _write_clicks(world: World, name: str, start: datetime, slates: int) -> None:
    """People who click on items of one topic each, and on nothing else, in Parquet."""
    rng = np.random.default_rng(3)
    items = [
        {"item_id": f"{name}-item{n}", "tags": [f"{name}-topic{n % 3}"], "title": "x" * (n % 7)} for n in range(60)
    ]
    world.csv("users", "user_id", *([f"{name}-reader{n}"] for n in range(6)))
    pq.write_table(pa.Table.from_pylist(items), world.folder / "items.parquet")
    impressions, actions = [], []
    for slate in range(slates):
        reader = slate % 6
        for position, item in enumerate(rng.permutation(60)[:8].tolist()):
            moment = start + timedelta(minutes=7 * slate, seconds=position)
            row = {"user_id": f"{name}-reader{reader}", "item_id": f"{name}-item{item}"}
            impressions.append(row | {"slate_id": f"{name}-{slate}", "occurred_at": moment, "position": position})
            if item % 3 == reader % 3:
                actions.append(row | {"action": "open", "occurred_at": moment + timedelta(seconds=20)})
    rng.shuffle(impressions)
    pq.write_table(pa.Table.from_pylist(impressions), world.folder / "impressions.parquet")
    pq.write_table(pa.Table.from_pylist(actions), world.folder / "actions.parquet")


def test_a_report_has_the_refused_rows_of_the_last_import_only(world: World) -> None:
    world.csv("users", "user_id,created_at", ("again-ann", at(0)), ("", ""))
    world.run()
    refused = world.report / "refused-users.csv"
    assert refused.exists()
    world.csv("users", "user_id,created_at", ("again-ann", at(0)))
    world.run()
    assert not refused.exists()


def test_old_clicks_become_a_training_set_and_importing_them_again_changes_nothing(world: World) -> None:
    start = START + timedelta(days=30)
    _write_clicks(world, "old", start, slates=90)
    steps: list[tuple[str, int, int]] = []
    done = world.run(lambda *step: steps.append(step), features=True)
    assert done.refused == 0
    assert {"files", "rows", "events", "features"} == {stage for stage, _, _ in steps}
    assert all(0 <= part <= whole for _, part, whole in steps)

    window = Window(start - timedelta(days=1), start + timedelta(days=2))
    with Sources.open(world.settings) as sources:
        dataset = build_dataset(sources, window)
    assert dataset.slates == 90
    assert set(dataset.group_sizes.tolist()) == {8}
    # the topic that a reader clicks on is in the features, as it was known before each slate
    clicked = dataset.labels > 0
    rate = dataset.matrix[:, FEATURE_NAMES.index("topic_engagement_rate")]
    late = dataset.slate_start_us.repeat(dataset.group_sizes) > np.median(dataset.slate_start_us)
    assert 0.2 < clicked.mean() < 0.5
    assert rate[late & clicked].mean() > 2 * rate[late & ~clicked].mean()

    before = world.events("old-")
    people = world.rows("select count(*) from external_ids where external_id like %s", "old-%")
    steps.clear()
    assert world.run(lambda *step: steps.append(step), features=True).events == done.events
    assert "events" not in {stage for stage, _, _ in steps}  # finished: nothing to do
    shutil.rmtree(done.report)  # without its journal it is repeated
    assert world.run(features=True).events == done.events
    again = world.events("old-")
    assert sorted(again.id.tolist()) == sorted(before.id.tolist())
    assert world.rows("select count(*) from external_ids where external_id like %s", "old-%") == people
    with Sources.open(world.settings) as sources:
        assert build_dataset(sources, window).digest == dataset.digest


def test_an_interrupted_import_goes_on_where_it_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.importing.events.ROWS_AT_ONCE", 100)
    _write_clicks(world, "half", START + timedelta(days=60), slates=30)

    class KilledError(Exception):
        pass

    def killed(stage: str, done: int, _: int) -> None:
        if stage == "events" and done >= 200:
            raise KilledError

    with pytest.raises(KilledError):
        world.run(killed)
    in_lake = len(world.events("half-"))
    assert in_lake == 200
    steps: list[tuple[str, int, int]] = []
    done = world.run(lambda *step: steps.append(step))
    assert next(part for stage, part, _ in steps if stage == "events") == 300
    assert len(world.events("half-")) == done.events > 300


def test_an_action_without_a_slate_belongs_to_the_last_impression_of_the_day_before(world: World) -> None:
    world.csv("users", "user_id", ["slate-ann"])
    world.csv("items", "item_id", ["slate-1"])
    world.csv(
        "impressions",
        "user_id,item_id,slate_id,occurred_at",
        ("slate-ann", "slate-1", "first", at(0)),
        ("slate-ann", "slate-1", "second", at(60)),
    )
    day = 24 * 60
    moments = {"open": 30, "like": 61, "save": 59 + day, "share": 61 + day, "comment": -1}
    world.csv(
        "actions",
        "user_id,item_id,action,occurred_at",
        *(("slate-ann", "slate-1", action, at(minutes)) for action, minutes in moments.items()),
    )
    world.run()
    lake = open_lake(world.settings)
    parts = lake.mirror(LakeFolder(world.settings.bucket_lake, "engagement"))
    everything = pa.concat_tables([pq.ParquetFile(part).read() for part in parts]).to_pylist()
    (person,) = world.rows("select user_id from external_ids where external_id = %s", "slate-ann")[0]
    rows = [row for row in everything if row["user_id"] == person]
    slates = {row["action"]: row["slate_id"] for row in rows if row["action"] != "impression"}
    assert slates == {"open": "first", "like": "second", "save": "second", "share": None, "comment": None}
    assert all(row["imported"] for row in rows)


def test_the_command_prints_what_was_refused_and_how_to_train(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photofeed.settings.load_settings", lambda: world.settings)
    monkeypatch.setattr("photofeed.logs.set_up_logs", lambda _: None)
    world.csv("users", "user_id", ["cli-ann"], [""])
    world.csv("items", "item_id", ["cli-1"])
    world.csv("impressions", "user_id,item_id,slate_id,occurred_at", ("cli-ann", "cli-1", "cli", at(0)))
    report = world.report
    report.mkdir()
    Journal.of(report).note(has_features=True)
    done = CliRunner().invoke(app, ["import", str(world.folder), "--report", str(report)])
    assert done.exit_code == 0, done.output
    assert "users\t1 imported\t1 refused\nusers\t1\tuser_id: missing\n" in done.stdout
    assert "photofeed train --until 1997-09-20T08:00:00 --days 1" in done.stderr
    done = CliRunner().invoke(app, ["import", str(world.folder), "--report", str(report), "--json"])
    document = json.loads(done.stdout)
    assert document["tables"]["users"] == {"taken": 1, "refused": {"user_id: missing": 1}}
    assert document["events"] == 1


def test_a_running_features_worker_hands_over_and_the_next_one_waits(apart: Settings) -> None:
    leads, stop = threading.Event(), threading.Event()

    def worker() -> None:
        with database.connect(apart) as connection:
            assert database.wait_for_leadership(connection, database.FEATURES_LEADER, stop)
            end_when_wanted(connection, stop)
            leads.set()
            stop.wait()

    running = threading.Thread(target=worker)
    running.start()
    try:
        assert leads.wait(60)
        with taking_over_features(apart), database.connect(apart) as another:
            assert stop.is_set()
            assert not database.try_leadership(another, database.FEATURES_LEADER)
        with database.connect(apart) as another:
            assert database.try_leadership(another, database.FEATURES_LEADER)
    finally:
        stop.set()
        running.join()
