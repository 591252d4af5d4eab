"""The report of an experiment, from Parquet that the archive has written."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from ingestion.archive import Archive
from photofeed.events import Action, EngagementEvent, Envelope, engagement_envelope
from photofeed.experiments import Experiment, load_experiments
from photofeed.offline_store.lake import open_lake
from training.cli.commands import app
from training.data.raw_logs import RawLogs
from training.data.window import Window
from training.errors import EmptyWindowError
from training.evaluation.experiment_report import read_observations

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

START = datetime(2021, 9, 6, 9, tzinfo=UTC)  # days of its own: the stack is shared
WINDOW = Window(START - timedelta(days=2), START + timedelta(days=2))
PEOPLE, SLATES, POST = 24, 3, 8_000_000_000_000_000_000
DECLARED = """
[[experiments]]
name = "in-the-lake"
salt = "k"
arms = [{ name = "control", ranker = "champion", share = 0.5 }, { name = "new", ranker = "challenger", share = 0.5 }]
"""


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("experiments") / "experiments.toml"
    file.write_text(DECLARED)
    return file


@pytest.fixture(scope="module")
def logs(stack: "EmbeddedStack", declared: Path) -> RawLogs:
    """Whoever is in the second arm likes one post more of each slate; everybody did their own before."""
    settings, experiment = stack.settings(), load_experiments(declared).named("in-the-lake")
    envelopes = [envelope for person in range(1, PEOPLE + 1) for envelope in _person(experiment, person)]
    envelopes += _slate(PEOPLE + 1, "turncoat-1", START, 1, "control")  # assigned again under another salt
    envelopes += _slate(PEOPLE + 1, "turncoat-2", START, 5, "new")
    envelopes += _slate(PEOPLE + 2, "elsewhere", START, 7, "new", experiment="another")
    archive = Archive(open_lake(settings), settings.bucket_lake)
    archive.handle(envelopes)
    archive.handle(envelopes[: len(envelopes) // 3])  # the log may hold a message twice
    return RawLogs(open_lake(settings), settings.bucket_lake)


def _habit(person: int) -> int:
    return person % 4


def _person(experiment: Experiment, person: int) -> Iterator[Envelope]:
    arm = experiment.arm_of(person)
    assert arm
    if person % 5:  # the others are newcomers
        yield from _slate(person, f"past-{person}", START - timedelta(days=1), _habit(person))
    for number in range(SLATES):
        more = int(arm.name == "new")
        at = START + timedelta(hours=number)
        yield from _slate(person, f"lake-{person}-{number}", at, _habit(person) + more, arm.name)


def _slate(
    person: int, slate: str, at: datetime, likes: int, arm: str | None = None, experiment: str = "in-the-lake"
) -> Iterator[Envelope]:
    """A slate of eight posts, the first `likes` of which were liked, in an arm or before there was any."""
    shown = [
        {"postId": POST + n, "creatorId": 9, "position": n, "score": 1.0, "source": "following", "propensity": 1.0}
        for n in range(8)
    ]
    payload: dict[str, Any] = {
        "slateId": slate,
        "userId": person,
        "ranking": "model",
        "modelVersion": "1",
        "experiment": experiment if arm else None,
        "arm": arm,
        "featureNames": None,
        "rankedAt": at.isoformat(),
        "servedAt": at.isoformat(),
        "items": [{**item, "features": []} for item in shown],
    }
    yield Envelope("feed.served", str(person), payload, occurred_at=at)
    acted = [(Action.IMPRESSION, n) for n in range(8)] + [(Action.LIKE, n) for n in range(likes)]
    yield engagement_envelope(
        person,
        [
            EngagementEvent(
                id=f"{slate}-{action}-{n}",
                action=action,
                user_id=person,
                creator_id=9,
                occurred_at=at + timedelta(seconds=n + 1),
                post_id=POST + n,
                slate_id=slate,
                position=n,
                imported=True,
            )
            for action, n in acted
        ],
    )


def test_observations_are_what_each_person_did_in_the_arm_and_before(logs: RawLogs, declared: Path) -> None:
    experiment = load_experiments(declared).named("in-the-lake")
    seen = read_observations(logs, experiment, WINDOW)
    arms = [experiment.arm_of(person) for person in range(1, PEOPLE + 1)]
    assert seen.arms.tolist() == [experiment.arms.index(arm) for arm in arms if arm]  # no turncoat, nobody from outside
    assert seen.slates.tolist() == [SLATES] * PEOPLE
    habits = np.array([_habit(person) for person in range(1, PEOPLE + 1)])
    assert seen.engagement.tolist() == (habits + seen.arms).tolist()
    newcomers = np.arange(1, PEOPLE + 1) % 5 == 0
    assert np.isnan(seen.before).tolist() == newcomers.tolist()
    assert seen.before[~newcomers].tolist() == habits[~newcomers].tolist()


def test_time_without_the_experiment_is_an_empty_window(logs: RawLogs, declared: Path) -> None:
    experiment = load_experiments(declared).named("in-the-lake")
    before = Window(START - timedelta(days=2), START - timedelta(hours=1))
    with pytest.raises(EmptyWindowError, match="no slate of in-the-lake was served"):
        read_observations(logs, experiment, before)


def test_the_command_finds_the_planted_lift_and_unequal_arms(
    logs: RawLogs, declared: Path, stack: "EmbeddedStack", monkeypatch: pytest.MonkeyPatch
) -> None:
    assert logs.parts("feed_served", WINDOW)
    monkeypatch.setenv("PHOTOFEED_STATE_DIR", str(stack.state.path))
    monkeypatch.setenv("PHOTOFEED_EXPERIMENTS_FILE", str(declared))
    command = ["experiments", "report", "in-the-lake", "--days", "4", "--until", f"{WINDOW.end:%Y-%m-%dT%H:%M:%S}"]
    ran = CliRunner().invoke(app, [*command, "--json"])
    assert ran.exit_code == 0, ran.output
    told = orjson.loads(ran.stdout)
    control, new = told["arms"]
    assert control["people"] + new["people"] == PEOPLE
    assert new["adjusted_lift"]["low"] > 0
    plain, adjusted = (new[kind]["high"] - new[kind]["low"] for kind in ("lift", "adjusted_lift"))
    assert adjusted < plain
    assert "CUPED removes" in CliRunner().invoke(app, command).stdout

    declared.write_text(DECLARED.replace("share = 0.5 }]", "share = 0.01 }]"))
    unequal = CliRunner().invoke(app, command)
    assert unequal.exit_code == 3
    assert "do not match the declared shares" in unequal.output
