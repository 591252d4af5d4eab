"""New feature, half of the people, look, promote, roll back: while a server runs, and nobody else's model changes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from skl2onnx import to_onnx
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from ingestion.archive import Archive
from ingestion.bootstrap.engagement import backfill_view, engagement_pipeline
from photofeed import database
from photofeed.events import Action, EngagementEvent, Envelope, engagement_envelope
from photofeed.feature_store import close_feature_store, open_feature_store
from photofeed.features.declarations import Age, Cosine, RankingFeature
from photofeed.features.program import FeatureProgram
from photofeed.features.ranking import FEATURE_NAMES, PROGRAM
from photofeed.features.ratios import Ratio
from photofeed.features.stored import StoredFeatures
from photofeed.ids import encode_id
from photofeed.models.alias_moves import roll_back
from photofeed.models.registry import CHALLENGER, CHAMPION
from photofeed.offline_store.lake import open_lake
from photofeed.posts import PostRef, PublishedPost
from photofeed.redis_client import connect_redis
from photofeed.settings import Settings
from photofeed.tokens import mint_token
from photofeed.topics import FEED_SERVED
from serving import bootstrap
from serving.app import create_app
from serving.feed.candidates import Candidates
from serving.feed.features import RequestFeatures
from serving.feed.query import FeedQuery, Viewer
from serving.feed.source_table import Source
from tests.api.feed_world import FeedWorld
from tests.command_line import set_up, with_own_feature_repo
from tests.doubles.event_log import InMemoryEventLog
from training.data.dataset import build_dataset
from training.data.model_frame import model_frame
from training.data.point_in_time import EntityRows, features_known_at
from training.data.sources import Sources
from training.data.split import temporal_split
from training.data.window import Window
from training.evaluation.compared import compared_program
from training.pipeline import train_and_register
from training.promotion.promote import promote
from training.ranker.parameters import TrainingParameters
from training.registry.own_model import register_model
from training.registry.tracking import mlflow_client

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning")  # MLflow about its own classes

SLATES, SLATE_LENGTH, VIEWERS, AUTHORS, POSTS_EACH = 120, 10, 8, 12, 10
FEW = TrainingParameters(rounds=20, threads=1)
EXPERIMENT = """
[[experiments]]
name = "own-features"
salt = "s"
arms = [
    { name = "control", ranker = "champion", share = 0.5 },
    { name = "treatment", ranker = "challenger", share = 0.5 },
]
"""
OWN = FeatureProgram(
    [
        *PROGRAM.select(["post_age_hours", "hour_of_day", "creator_impressions_7d", "pair_likes_30d"]).features,
        RankingFeature("own_open_share", "own", Ratio("post_engagement", "opens_24h", "impressions_24h", weight=5.0)),
        RankingFeature("own_age_days", "own", Age("post_content", "posted_at", unit_seconds=86_400.0)),
        RankingFeature(
            "own_taste",
            "own",
            Cosine(
                (("user_activity", "likes_7d"), ("user_activity", "dwell_7d")),
                (("post_engagement", "likes_24h"), ("post_engagement", "dwell_7d")),
            ),
        ),
    ]
)
NEW_FIELD = '        decayed("shares_1h", "share=1", half_life=HOUR, unit="shares", about="Shares of the last hour"),\n'
SHARED = RankingFeature("own_shares", "own", Ratio("post_engagement", "shares_1h"))


@dataclass
class World:
    """Viewers who like the posts of some authors, a lake and a Redis of their own, and a feature repo to edit."""

    settings: Settings
    client: Any
    began: datetime
    viewers: list[int] = field(default_factory=list)
    posts: list[PostRef] = field(default_factory=list)

    def count(self, envelopes: list[Envelope], *, leader: bool = False) -> None:
        """What the features worker and the archive make of messages."""
        store = open_feature_store(self.settings)
        try:
            pipeline = engagement_pipeline(self.settings, store, self.client)
            if leader:
                pipeline.become_leader()
            pipeline.handle(envelopes)
            pipeline.finish_push()
        finally:
            close_feature_store(store)
        Archive(open_lake(self.settings), self.settings.bucket_lake).handle(envelopes)

    @property
    def window(self) -> Window:
        return Window(self.began - timedelta(minutes=1), datetime.now(UTC) + timedelta(hours=1))

    def looks(self) -> Iterator[Envelope]:
        """Slates of random posts. A viewer likes some authors, opens what they like, and shares every other of it."""
        rng = np.random.default_rng(5)
        for slate in range(SLATES):
            viewer, at = slate % VIEWERS, self.began + timedelta(seconds=60 * slate)
            events: list[EngagementEvent] = []
            for position, number in enumerate(rng.choice(len(self.posts), SLATE_LENGTH, replace=False).tolist()):
                likes = number % AUTHORS % 4 == viewer % 4 and rng.random() < 0.9
                done = (Action.IMPRESSION, Action.LIKE, Action.OPEN, Action.SHARE) if likes else (Action.IMPRESSION,)
                events += [self._event(action, viewer, number, slate, position, at) for action in done]
            yield engagement_envelope(self.viewers[viewer], events)

    def _event(
        self, action: Action, viewer: int, number: int, slate: int, position: int, at: datetime
    ) -> EngagementEvent:
        post = self.posts[number]
        return EngagementEvent(
            id=f"{self.viewers[0]}-{slate}-{position}-{action}",
            action=action,
            user_id=self.viewers[viewer],
            creator_id=post.author_id,
            occurred_at=at + timedelta(seconds=position),
            post_id=post.post_id,
            topic_id=post.topic_id,
            content_type="photo",
            slate_id=f"own-{self.viewers[0]}-{slate}",
            position=position,
            imported=True,
        )


@pytest.fixture
def world(settings_apart: Callable[[int], Settings], mlflow_stack: "EmbeddedStack", tmp_path: Path) -> Iterator[World]:
    settings = settings_apart(8)
    assert settings.mlflow_tracking_uri == mlflow_stack.settings().mlflow_tracking_uri
    database.migrate(settings)
    settings = with_own_feature_repo(settings, tmp_path, "owning")
    settings = settings.model_copy(update={"model_name": "ranker-of-own-features"})
    with connect_redis(settings) as client:
        made = World(settings, client, datetime.now(UTC) - timedelta(hours=3))
        set_up(settings)
        people = FeedWorld(settings)
        made.viewers, authors = people.people(VIEWERS), people.people(AUTHORS)
        made.posts = people.posts(authors, POSTS_EACH, age=timedelta(hours=4))
        for viewer in made.viewers:
            people.follow(viewer, authors)
        people.deliver(made.posts, made.viewers)
        content = [
            PublishedPost(ref, "photo", 20, 1, True, True, 1.5, number / 10, 0.5, 7.0)
            for number, ref in enumerate(made.posts)
        ]
        published = [Envelope("photo.processed", str(post.ref.post_id), post.to_payload()) for post in content]
        made.count([*published, *made.looks()], leader=True)
        yield made
        client.flushdb()


@dataclass
class Server:
    """A running API that nobody restarts."""

    http: TestClient
    log: InMemoryEventLog
    settings: Settings

    def feeds(self, viewers: Sequence[int]) -> dict[int, dict[str, Any]]:
        """What the served log has of a feed of each viewer, after the server has looked at the aliases."""
        services = self.http.app_state["services"]
        portal: Any = self.http.portal
        portal.call(services.model_slot.refresh)
        slates = {}
        for viewer in viewers:
            headers = {"Authorization": f"Bearer {mint_token(self.settings, viewer)}"}
            reply = self.http.get("/v1/feed?limit=20", headers=headers)
            assert reply.status_code == 200, reply.text
            slates[reply.json()["slateId"]] = viewer
        portal.call(services.feed.served_log.flushed)
        pages = (Envelope.decode(message.value).payload for message in self.log.read(FEED_SERVED.name))
        return {slates[page["slateId"]]: page for page in pages if page["slateId"] in slates}

    def defaulted(self, world: World, version: str) -> dict[str, int]:
        """View -> how many values of the world's posts the challenger gets as defaults. Feeds also explore others."""
        services = self.http.app_state["services"]
        inputs = services.model_slot.challenger.inputs
        assert services.model_slot.challenger.version == version
        posts = Candidates.from_members([post.member() for post in world.posts], Source.FOLLOWING)
        query = FeedQuery(world.viewers[0], datetime.now(UTC), Viewer(frozenset(), frozenset(), AUTHORS))
        portal: Any = self.http.portal
        read: RequestFeatures = portal.call(services.feed.ranker.features.read, query, posts, [inputs])
        return read.defaulted(inputs)


@pytest.fixture
def server(world: World, tmp_path: Path) -> Iterator[Server]:
    file = tmp_path / "experiments.toml"
    file.write_text(EXPERIMENT)
    settings, log = world.settings.model_copy(update={"experiments_file": file}), InMemoryEventLog()
    make_services = partial(bootstrap.services, connect_publisher=lambda _: log)
    with TestClient(create_app(settings, make_services), base_url="http://127.0.0.1") as http:
        yield Server(http, log, settings)


def _by_arm(pages: dict[int, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    arms: dict[str, list[dict[str, Any]]] = {"control": [], "treatment": []}
    for page in pages.values():
        arms[page["arm"]].append(page)
    assert all(arms.values()), "too few viewers: one arm has none"
    return arms


def _versions(pages: dict[int, dict[str, Any]]) -> dict[str, set[tuple[str, str, int]]]:
    return {
        arm: {(page["ranking"], page["modelVersion"], len(page["featureNames"])) for page in mine}
        for arm, mine in _by_arm(pages).items()
    }


def _served(page: dict[str, Any]) -> NDArray[np.float64]:
    return np.array([item["features"] for item in page["items"]], np.float64)


def _offline(
    settings: Settings, sources: Sources, program: FeatureProgram, viewer: int, page: dict[str, Any]
) -> NDArray[np.float32]:
    """The features of a page out of Feast's history, as they were known when it was ranked."""
    now = datetime.fromisoformat(page["rankedAt"]).timestamp()
    posts = [item["postId"] for item in page["items"]]
    count = len(posts)
    creators = np.array([item["creatorId"] for item in page["items"]])
    topics = _topics(settings, posts)  # explore also shows posts of other tests
    rows = EntityRows(np.full(count, viewer), np.array(posts), creators, topics, np.full(count, round(now * 1e6)))
    columns = features_known_at(sources.features, sources.manifest, rows)
    return program.matrix(StoredFeatures(columns, sources.manifest, now), count)


def _topics(settings: Settings, posts: Sequence[int]) -> NDArray[np.int64]:
    with database.connect(settings) as connection:
        rows = connection.execute("select id, topic_id from posts where id = any(%s)", (list(posts),)).fetchall()
    topic_of = {row["id"]: row["topic_id"] for row in rows}
    return np.array([topic_of[post] for post in posts], np.int64)


def test_own_features_live_beside_others_and_a_new_field_blinds_no_model(world: World, server: Server) -> None:
    with ExitStack() as owned:
        mlflow = owned.enter_context(mlflow_client(world.settings))
        point = partial(mlflow.set_registered_model_alias, world.settings.model_name)

        # a model of today's features, and one of own features, which are declared here and nowhere else
        with Sources.open(world.settings) as sources:
            first = train_and_register(world.settings, sources, world.window, FEW).version
            own = train_and_register(world.settings, sources, world.window, FEW, program=OWN).version
            point(CHAMPION, first)
            point(CHALLENGER, own)
            pages = server.feeds(world.viewers)
            assert _versions(pages) == {
                "control": {("model", first, len(FEATURE_NAMES))},
                "treatment": {("challenger", own, len(OWN))},
            }
            programs = {"control": PROGRAM, "treatment": OWN}
            for viewer, page in pages.items():
                program = programs[page["arm"]]
                assert tuple(page["featureNames"]) == program.names
                np.testing.assert_allclose(
                    _served(page), _offline(world.settings, sources, program, viewer, page), rtol=1e-6, atol=1e-6
                )

        # promotion and rollback across the change, without a restart
        promote(world.settings, own, force="a rehearsal", now=datetime.now(UTC))
        mlflow.delete_registered_model_alias(world.settings.model_name, CHALLENGER)
        assert {page["modelVersion"] for page in server.feeds(world.viewers).values()} == {own}
        roll_back(world.settings)
        assert {page["modelVersion"] for page in server.feeds(world.viewers).values()} == {first}

        # a new stored field: declared, applied, counted from now on, and then for all time
        before = _values(server, world)
        views = world.settings.feature_repo / "post_views.py"
        views.write_text(
            views.read_text().replace('        decayed("shares_24h"', f'{NEW_FIELD}        decayed("shares_24h"')
        )
        set_up(world.settings)
        more = [world._event(Action.OPEN, 0, number, SLATES, number, datetime.now(UTC)) for number in range(5)]
        world.count([engagement_envelope(world.viewers[0], more)], leader=True)
        _require_kept(before, _values(server, world))
        backfill_view(world.settings, "post_engagement")
        _require_kept(before, _values(server, world))

        # a model of it, beside the one that knows nothing of it
        with Sources.open(world.settings) as sources:
            program = FeatureProgram([*OWN.features, SHARED])
            newest = train_and_register(world.settings, sources, world.window, FEW, program=program).version
            point(CHALLENGER, newest)
            arms = _by_arm(server.feeds(world.viewers))
            assert {page["modelVersion"] for page in arms["control"]} == {first}
            assert {page["modelVersion"] for page in arms["treatment"]} == {newest}
            assert max(_served(page)[:, -1].max() for page in arms["treatment"]) > 0
            assert server.defaulted(world, newest)["post_engagement"] == 0
        _another_library(world, server, point)


def _another_library(world: World, server: Server, point: Callable[[str, str], Any]) -> None:
    """A model of scikit-learn is the challenger, and its inputs are a frame; `setup` keeps its FeatureService."""
    from mlflow import pyfunc  # warns about its own classes

    with Sources.open(world.settings) as sources:
        dataset = build_dataset(sources.with_program(OWN), world.window)
        original = LinearRegression().fit(np.nan_to_num(dataset.matrix), dataset.labels)
        filled = make_pipeline(SimpleImputer(strategy="constant", fill_value=0.0), original)
        filled.steps[0][1].fit(dataset.matrix)
        converted = to_onnx(filled, dataset.matrix[:1])
        linear = register_model(
            world.settings,
            sources,
            converted,
            program=OWN,
            frame=dataset,
            expected=filled.predict(dataset.matrix).reshape(-1),
            test=temporal_split(build_dataset(sources.with_program(compared_program(OWN)), world.window)).test,
        )
        point(CHALLENGER, linear.version)
        pages = server.feeds(world.viewers)
        arms = _by_arm(pages)
        assert {page["modelVersion"] for page in arms["treatment"]} == {linear.version}
        loaded = pyfunc.load_model(f"models:/{world.settings.model_name}/{linear.version}")
        store: Any = sources.features
        service = store.get_feature_service(f"{world.settings.model_name}_{OWN.hash}")
        assert {each.name for each in service.feature_view_projections} == set(OWN.views)
        for viewer, page in pages.items():
            if page["arm"] == "control":
                continue
            entities = _entities(viewer, page)
            online = model_frame(store, linear, entities.drop(columns="event_timestamp"))
            offline = model_frame(store, linear, entities)
            np.testing.assert_allclose(_served(page), offline.to_numpy(), rtol=1e-6, atol=1e-6)
            np.testing.assert_allclose(online["own_open_share"], offline["own_open_share"], rtol=1e-3)
            scores = filled.predict(offline.to_numpy()).reshape(-1)
            np.testing.assert_allclose(loaded.predict(offline.astype(np.float64)), scores, rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose([item["score"] for item in page["items"]], scores, rtol=1e-4, atol=1e-5)
    set_up(world.settings)  # keeps the service, which the repo does not declare
    with Sources.open(world.settings) as sources:
        store = sources.features
        assert store.get_feature_service(f"{world.settings.model_name}_{OWN.hash}").tags


def _entities(viewer: int, page: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "user_id": encode_id(viewer),
            "post_id": [item["postId"] for item in page["items"]],
            "creator_id": [item["creatorId"] for item in page["items"]],
            "topic_id": 7,
            "event_timestamp": datetime.fromisoformat(page["rankedAt"]),
        }
    )


def _values(server: Server, world: World) -> dict[tuple[int, int], NDArray[np.float64]]:
    """(viewer, post) -> the counts of the post that the champion gets."""
    columns = [FEATURE_NAMES.index(name) for name in ("post_impressions_7d", "post_opens_24h", "post_shares_24h")]
    found = {}
    for viewer, page in server.feeds(world.viewers).items():
        for item, values in zip(page["items"], _served(page)[:, columns], strict=True):
            found[viewer, item["postId"]] = values
    return found


def _require_kept(before: dict[tuple[int, int], Any], after: dict[tuple[int, int], Any]) -> None:
    """No count is lost: they only decay with the time of the test, or grow by what was counted meanwhile."""
    both = before.keys() & after.keys()
    assert len(both) > len(before) // 2
    assert max(before[key][0] for key in both) > 1
    for key in both:
        assert (after[key] >= 0.9 * before[key]).all(), key
