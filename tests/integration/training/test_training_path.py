"""The training path on real servers, from a history that the workers' own code has written."""

import gc
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from ingestion.archive import Archive
from ingestion.engagement.feature_sink import FeastSink
from ingestion.engagement.pipeline import EngagementPipeline
from ingestion.engagement.push_journal import StoredPushJournal
from photofeed import database
from photofeed.errors import RetryableError
from photofeed.events import Action, EngagementEvent, Envelope, engagement_envelope
from photofeed.feature_commands import app as features
from photofeed.feature_store import apply_feature_repo, close_feature_store, load_counter_views, open_feature_store
from photofeed.features.manifest import FeatureManifest
from photofeed.features.ranking import FEATURE_NAMES, ranking_matrix
from photofeed.features.stored import StoredFeatures
from photofeed.ids import topic_id
from photofeed.models.alias_moves import NoPreviousError, roll_back
from photofeed.models.history import only_one
from photofeed.models.registry import CHALLENGER, CHAMPION, PREVIOUS, ModelRegistry
from photofeed.models.scorer import ScoringTables, make_scorer
from photofeed.object_store import S3ObjectStore
from photofeed.offline_store.lake import open_lake
from photofeed.online_store.reader import PackedReader
from photofeed.posts import PostRef, PublishedPost
from photofeed.redis_client import connect_redis
from photofeed.settings import Settings
from tests.doubles.counted_events import InMemoryCountedEvents
from tests.doubles.feed_memory import NoFeedMemory
from training.cli.commands import app
from training.data.dataset import build_dataset
from training.data.point_in_time import EntityRows, features_known_at
from training.data.sources import Sources
from training.data.window import Window
from training.errors import EmptyWindowError
from training.evaluation.baselines import NAMES
from training.pipeline import TrainedVersion, train_and_register
from training.promotion.promote import promote
from training.ranker.distributed_training import dask_trainer
from training.ranker.parameters import TrainingParameters
from training.registry.tracking import mlflow_client
from training.registry.versions import list_versions

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

START = datetime(2021, 5, 3, 9, tzinfo=UTC)  # a day of its own: the stack is shared
SLATES, SLATE_LENGTH, READERS, POSTS = 120, 10, 6, 240
TOPICS = [topic_id(name) for name in ("mountains", "sea", "cities")]
FIRST_ID = 7_000_000_000_000_000_000  # ids of its own, too


pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning")  # MLflow about its own classes


@dataclass(frozen=True)
class History:
    """What happened, and where it is kept now."""

    settings: Settings
    manifest: FeatureManifest
    reader: PackedReader
    window: Window
    posts: list[PublishedPost]


@pytest.fixture(scope="module")
def history(stack: "EmbeddedStack", tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """Readers who like one topic each, and nothing else, look at slates of random posts."""
    state_dir = tmp_path_factory.mktemp("training")
    database.migrate(stack.settings())
    settings = stack.settings().model_copy(update={"model_name": "ranker-of-tests", "state_dir": state_dir})
    objects = S3ObjectStore.connect(settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # `feast apply` leaves a registry's connections open
        manifest = apply_feature_repo(settings, objects)
        gc.collect()
    posts = [_post(number) for number in range(POSTS)]
    envelopes = [Envelope("photo.processed", str(post.ref.post_id), post.to_payload()) for post in posts]
    envelopes += [engagement_envelope(events[0].user_id, events) for events in _slates(posts)]
    with connect_redis(settings) as client:
        store = open_feature_store(settings)
        views = load_counter_views(store)
        sink = FeastSink(store, client, views)
        journal = StoredPushJournal(objects, settings.bucket_lake)
        EngagementPipeline(views, InMemoryCountedEvents(), sink, NoFeedMemory(), journal).handle(envelopes)
        archive = Archive(open_lake(settings), settings.bucket_lake)
        archive.handle(envelopes)
        archive.handle(envelopes[-3:])  # the log may hold an event twice
        window = Window(START - timedelta(hours=1), START + timedelta(days=3))
        close_feature_store(store)
        yield History(
            settings, manifest, PackedReader([view.schema for view in manifest.views], client=client), window, posts
        )


@pytest.fixture(scope="module")
def sources(history: History) -> Iterator[Sources]:
    with Sources.open(history.settings) as opened:
        yield opened


def test_what_workers_wrote_becomes_a_dataset(history: History, sources: Sources) -> None:
    dataset = build_dataset(sources, history.window)
    assert dataset.slates == 120
    assert set(dataset.group_sizes.tolist()) == {10}
    assert set(np.unique(dataset.labels).tolist()) == {0, 2}
    topic_rate = dataset.matrix[:, FEATURE_NAMES.index("topic_engagement_rate")]
    late = np.arange(len(dataset)) > len(dataset) // 2
    liked = dataset.labels > 0
    assert topic_rate[late & liked].mean() > 2 * topic_rate[late & ~liked].mean()


def test_the_first_slate_of_the_world_knows_nothing_but_the_posts(history: History, sources: Sources) -> None:
    first = build_dataset(sources, history.window).between(0, 1)
    columns = dict(zip(FEATURE_NAMES, first.matrix.T, strict=True))
    assert (columns["post_impressions_7d"] == 0).all()
    assert (columns["topic_impressions_30d"] == 0).all()
    assert (columns["sharpness"] >= 0).all()
    assert (columns["post_age_hours"] >= 0).all()


def test_training_computes_what_serving_computes(history: History, sources: Sources) -> None:
    """Point-in-time join and online store, asked for the same people and posts after all events: equal to the bit."""
    rng = np.random.default_rng(0)
    asked = rng.choice(len(history.posts), 50)
    refs = [history.posts[number].ref for number in asked]
    readers = np.array([FIRST_ID + 200 + int(n) for n in rng.integers(0, READERS + 1, 50)])  # the last is unknown
    keys = {
        "user_id": readers,
        "post_id": np.array([ref.post_id for ref in refs]),
        "creator_id": np.array([ref.author_id for ref in refs]),
        "topic_id": np.array([ref.topic_id for ref in refs]),
    }
    now = history.window.end.timestamp()
    at = np.full(50, round(now * 1e6))
    rows = EntityRows(keys["user_id"], keys["post_id"], keys["creator_id"], keys["topic_id"], at)
    offline = features_known_at(sources.features, history.manifest, rows)
    read = history.reader.read(keys)
    online = {
        f"{name}__{field}": view.values[field] for name, view in read.items() for field in view.values.dtype.names or ()
    }
    trained, served = (ranking_matrix(StoredFeatures(c, history.manifest, now), 50) for c in (offline, online))
    assert np.array_equal(trained, served, equal_nan=True)
    assert (trained[:, FEATURE_NAMES.index("topic_impressions_30d")] > 0).any()


def test_from_history_to_champion_and_back(history: History, sources: Sources, mlflow_stack: "EmbeddedStack") -> None:
    assert mlflow_stack.settings().mlflow_tracking_uri == history.settings.mlflow_tracking_uri
    settings = history.settings
    few = TrainingParameters(rounds=40, threads=1)

    first = train_and_register(settings, sources, history.window, few, heads=True)
    assert first.evaluation.rankers["model"]["ndcg_10"] > first.evaluation.rankers["random"]["ndcg_10"] + 0.1
    assert set(first.evaluation.rankers) == {"model", "heads", *NAMES}
    with ModelRegistry.connect(settings) as registry:
        assert registry.current_version(CHAMPION) is None
        promotion = promote(settings, first.version, now=history.window.end)
        assert promotion.failed == (), promotion.findings
        assert registry.current_version(CHAMPION) == first.version
        bundle = registry.fetch(CHAMPION, settings.state_dir / "served")
    assert bundle.contract.manifest.hash == history.manifest.hash
    assert bundle.contract.feature_names == FEATURE_NAMES
    assert bundle.tables_path is not None
    scorer = make_scorer(bundle.model_path.read_text(), ScoringTables.load(bundle.tables_path))
    matrix = first.parts.test.matrix
    assert np.array_equal(scorer.score(matrix), first.ranker.score(matrix))

    with pytest.raises(NoPreviousError):
        roll_back(settings)

    # one stump on a feature by chance: worse than a model that knows which topic a reader likes
    stump = TrainingParameters(rounds=1, threads=1, num_leaves=2, feature_fraction=0.02, directed_only=False)
    second = train_and_register(settings, sources, history.window, stump)
    assert "champion" in second.evaluation.rankers
    refused = promote(settings, second.version, now=history.window.end)
    assert not refused.moved
    assert "against champion" in refused.failed
    forced = promote(settings, second.version, force="rehearsal", now=history.window.end)
    assert (forced.moved, forced.former) == (True, first.version)
    assert roll_back(settings) == (second.version, first.version)
    listed = {version.version: version for version in list_versions(settings)}
    assert listed[first.version].aliases == (CHAMPION,)
    assert listed[second.version].aliases == (PREVIOUS,)
    assert listed[first.version].gates == "passed"
    _check_pages(settings, first, second)


def _check_pages(settings: Settings, first: TrainedVersion, second: TrainedVersion) -> None:
    """What MLflow's pages show of a version that passed its gates, and of one that was forced."""
    with mlflow_client(settings) as client:
        kept = [file.path for file in client.list_artifacts(second.run_id, "promotions")]
        tags = client.get_model_version(settings.model_name, second.version).tags
        of_model = client.get_registered_model(settings.model_name)
        described = [client.get_model_version(settings.model_name, one.version) for one in (first, second)]
        run = client.get_run(first.run_id)
        curve = client.get_metric_history(first.run_id, "validation_ndcg_10")
        experiment = client.get_experiment(run.info.experiment_id)
        logged = client.get_logged_model(run.outputs.model_outputs[0].model_id)
    assert sorted(Path(path).suffix for path in kept) == [".json", ".md"]  # of one moment: the later report stays
    assert "rehearsal" in tags["forced"]
    assert tags["gates_beside"] == first.version
    assert "champion" in of_model.description
    assert "NDCG@10 0." in described[0].description
    assert "Gates: passed, on " in described[0].description
    assert "against champion" in described[1].description.partition("Gates: failed")[2]
    assert "forced: rehearsal" in described[1].description
    assert f"runs/{first.run_id}/artifacts/model_card.md" in described[0].description
    assert run.info.run_name == f"{settings.model_name} version {first.version}"
    assert [point.step for point in curve] == list(range(1, len(curve) + 1))
    assert 10 <= len(run.data.metrics) <= 20, sorted(run.data.metrics)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    headline = next(metric for metric in logged.metrics if metric.key == "test_ndcg_10")
    assert headline.dataset_name == f"slates {first.parts.test.window}"
    assert headline.dataset_digest == first.parts.test.digest


def test_the_commands_train_promote_and_list(
    history: History, mlflow_stack: "EmbeddedStack", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOTOFEED_STATE_DIR", str(mlflow_stack.state.path))
    monkeypatch.setenv("PHOTOFEED_MODEL_NAME", "ranker-of-commands")
    until = history.window.end.strftime("%Y-%m-%dT%H:%M:%S")
    trained = CliRunner().invoke(app, ["train", "--days", "4", "--until", until, "--rounds", "40", "--promote"])
    assert trained.exit_code == 0, trained.output
    assert "champion is version 1" in trained.output
    judged = CliRunner().invoke(app, ["evaluate", "champion", "--days", "4", "--until", until, "--json"])
    found = orjson.loads(judged.stdout)
    judged_on = [found[name] for name in ("version", "slates", "learnedSlates", "learnedShare")]
    assert judged_on == ["1", 18, 102, 0.0]
    assert found["metrics"]["over_random_ndcg_10"] > 0.1
    listed = CliRunner().invoke(app, ["models"])
    assert "champion" in listed.output
    checked = CliRunner().invoke(features, ["check", "--champion"])
    assert checked.output.endswith("nothing breaks: served/feed_ranker_v1.json, the champion, version 1\n")
    refused = CliRunner().invoke(app, ["rollback"])
    assert isinstance(refused.exception, NoPreviousError)


def test_a_scheduler_gets_one_line_of_json_and_an_exit_code(
    history: History, mlflow_stack: "EmbeddedStack", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOTOFEED_STATE_DIR", str(mlflow_stack.state.path))
    monkeypatch.setenv("PHOTOFEED_MODEL_NAME", "ranker-of-a-scheduler")

    def retrained(*arguments: str) -> tuple[int, dict[str, Any]]:
        ran = CliRunner().invoke(app, ["retrain", "--days", "4", "--rounds", "40", *arguments])
        return ran.exit_code, orjson.loads(ran.stdout.strip().splitlines()[-1])

    until = history.window.end.strftime("%Y-%m-%dT%H:%M:%S")
    code, told = retrained("--until", until, "--promote")
    assert (code, told["outcome"], told["champion"]) == (0, "promoted", "1"), told
    settings = history.settings.model_copy(update={"model_name": "ranker-of-a-scheduler"})
    with ModelRegistry.connect(settings) as registry:
        assert registry.aliases() == {CHALLENGER: "1", CHAMPION: "1"}
    code, told = retrained("--until", "2011-01-01T00:00:00")
    assert (code, told["outcome"]) == (4, "nothing_to_learn")
    with only_one(settings, database.RETRAINING, settings.model_name, "a retraining"):
        code, told = retrained("--until", until)
    assert (code, told["outcome"], told["version"]) == (75, "try_again", None)
    assert [version.version for version in list_versions(settings)] == ["1"]


def test_a_version_that_fails_its_gates_moves_nothing(
    history: History, sources: Sources, mlflow_stack: "EmbeddedStack"
) -> None:
    settings = history.settings.model_copy(update={"model_name": "refused-ranker"})
    assert settings.mlflow_tracking_uri == mlflow_stack.settings().mlflow_tracking_uri
    trained = train_and_register(settings, sources, history.window, TrainingParameters(rounds=5, threads=1))
    elsewhere = settings.model_copy(update={"feature_service": "feed_ranker_v2"})
    views = (replace(view, half_lives=dict.fromkeys(view.half_lives, 7.0)) for view in history.manifest.views)
    v2 = FeatureManifest("feed_ranker_v1", tuple(views))  # whose rows Feast can join
    S3ObjectStore.connect(settings).put(
        settings.bucket_lake, "manifests/feed_ranker_v2.json", v2.to_json(), "application/json"
    )
    promotion = promote(elsewhere, trained.version, now=history.window.end)
    assert not promotion.moved
    (found,) = [finding for finding in promotion.findings if finding.gate == "features available"]
    assert found.detail.endswith("has one of 7 s: use another name")
    with ModelRegistry.connect(settings) as registry:
        assert registry.current_version(CHAMPION) is None


def test_a_search_on_two_workers_becomes_a_version_like_any_other(
    history: History, sources: Sources, mlflow_stack: "EmbeddedStack"
) -> None:
    settings = history.settings.model_copy(update={"model_name": "searched-ranker"})
    assert mlflow_stack.settings().mlflow_tracking_uri == settings.mlflow_tracking_uri
    few = TrainingParameters(rounds=5)
    with dask_trainer("local:2") as trainer:
        trained = train_and_register(settings, sources, history.window, few, trials=2, trainer=trainer)
    with mlflow_client(settings) as client:
        run = client.get_run(trained.run_id)
        children = client.search_runs([run.info.experiment_id], f"tags.mlflow.parentRunId = '{trained.run_id}'")
    in_order = sorted(children, key=lambda child: str(child.info.run_name))
    best = max(in_order, key=lambda child: child.data.metrics["quality"])  # of equally good trials, the first one
    assert {child.info.run_name for child in children} == {"trial 1", "trial 2"}
    assert best.data.params["num_leaves"] == run.data.params["num_leaves"] == str(trained.ranker.parameters.num_leaves)
    with ModelRegistry.connect(settings) as registry:
        bundle = registry.fetch(trained.version, settings.state_dir / "searched")
    assert bundle.contract.feature_names == FEATURE_NAMES
    assert bundle.model_path.read_text() == trained.ranker.text


def test_a_failed_training_registers_nothing(history: History, sources: Sources, mlflow_stack: "EmbeddedStack") -> None:
    settings = history.settings.model_copy(update={"model_name": "never-registered"})
    assert settings.mlflow_tracking_uri == mlflow_stack.settings().mlflow_tracking_uri
    long_ago = Window(START - timedelta(days=400), START - timedelta(days=399))
    with pytest.raises(EmptyWindowError):
        train_and_register(settings, sources, long_ago)
    assert list_versions(settings) == []


def test_a_server_that_is_down_is_said_in_one_line(history: History, sources: Sources) -> None:
    nowhere = history.settings.model_copy(update={"mlflow_tracking_uri": "http://127.0.0.1:9"})
    with pytest.raises(RetryableError, match=r"MLflow does not answer at http://127\.0\.0\.1:9"):
        train_and_register(nowhere, sources, history.window)


class _Failing(BaseHTTPRequestHandler):
    """A server that says it is well and does nothing that it is asked for."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET  # noqa: N815  what http.server calls

    def log_message(self, *_: object) -> None:
        """Keep the test's output quiet."""


def test_a_server_that_fails_in_the_middle_is_said_too(history: History, sources: Sources) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Failing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        failing = history.settings.model_copy(update={"mlflow_tracking_uri": f"http://127.0.0.1:{server.server_port}"})
        with pytest.raises(RetryableError, match="answered 503"):
            train_and_register(failing, sources, history.window)
        server.shutdown()


def _post(number: int) -> PublishedPost:
    ref = PostRef(
        post_id=FIRST_ID + number,
        author_id=FIRST_ID + 100 + number % 5,
        topic_id=TOPICS[number % len(TOPICS)],
        posted_ms=round((START - timedelta(hours=number)).timestamp() * 1000),
    )
    return PublishedPost(
        ref,
        content_type="photo",
        caption_length=20,
        tag_count=1,
        public=True,
        imported=True,
        aspect=1.5,
        sharpness=number / POSTS,
        brightness=0.5,
        entropy=7.0,
    )


def _slates(posts: list[PublishedPost]) -> Iterator[list[EngagementEvent]]:
    rng = np.random.default_rng(4)
    for slate in range(SLATES):
        reader, at = slate % READERS, START + timedelta(minutes=10 * slate)
        events: list[EngagementEvent] = []
        for position, number in enumerate(rng.choice(POSTS, SLATE_LENGTH, replace=False)):
            likes = number % len(TOPICS) == reader % len(TOPICS) and rng.random() < 0.8
            actions = (Action.IMPRESSION, Action.LIKE)[: 1 + likes]
            events += [_event(action, reader, posts[number], slate, position, at) for action in actions]
        yield events


def _event(
    action: Action, reader: int, post: PublishedPost, slate: int, position: int, at: datetime
) -> EngagementEvent:
    return EngagementEvent(
        id=f"training-{slate}-{position}-{action}",
        action=action,
        user_id=FIRST_ID + 200 + reader,
        creator_id=post.ref.author_id,
        occurred_at=at + timedelta(seconds=2 * position + (action is not Action.IMPRESSION)),
        post_id=post.ref.post_id,
        topic_id=post.ref.topic_id,
        content_type=post.content_type,
        slate_id=f"training-{slate}",
        position=position,
        imported=True,
    )
