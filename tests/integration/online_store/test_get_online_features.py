"""Stock `FeatureStore.get_online_features` on the plug-in: the answer Feast's own way of assembling it would give."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import numpy as np
import pandas as pd
import pytest
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.infra.online_stores.online_store import OnlineStore
from feast.types import Array, Bool, Float32, Float64, Int64, String

from photofeed.online_store import PackedReader
from photofeed.online_store.feast_schema import row_schema
from photofeed.online_store.store import PackedRedisOnlineStore
from tools.listening import free_port

if TYPE_CHECKING:
    from photofeed.embedded.stack import EmbeddedStack

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
USER, CREATOR = np.arange(5), np.arange(8)

user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
creator = Entity(name="creator", join_keys=["handle"], value_type=ValueType.STRING)


def view(name: str, entities: list[Entity], **fields: Any) -> FeatureView:
    return FeatureView(
        name=name,
        entities=entities,
        schema=[Field(name=field, dtype=dtype) for field, dtype in fields.items()],
        source=FileSource(path="unused.parquet", timestamp_field="event_timestamp"),
    )


@pytest.fixture
def store(stack: "EmbeddedStack", tmp_path: Path) -> Iterator[FeatureStore]:
    opened = FeatureStore(
        config=RepoConfig(
            project=f"test_{uuid4().hex[:8]}",
            provider="local",
            registry=str(tmp_path / "registry.db"),
            online_store={
                "type": "photofeed.online_store.store.PackedRedisOnlineStore",
                "redis_url": stack.settings().redis_url.get_secret_value(),
            },
            entity_key_serialization_version=3,
        )
    )
    views = [
        view("users", [user], age=Int64, score=Float32),
        view("pairs", [user, creator], affinity=Float64, follows=Bool, words=Array(String)),
        view("site", [], visits=Int64),
    ]
    everything = FeatureService(name="everything", features=views)
    opened.apply([user, creator, *views, everything])
    random = np.random.default_rng(3)
    pairs = pd.MultiIndex.from_product([USER, [f"c{id_}" for id_ in CREATOR]], names=["user_id", "handle"]).to_frame(
        index=False
    )
    opened.write_to_online_store(
        "users",
        pd.DataFrame({"user_id": USER, "age": USER * 10, "score": [0.5, None, 1.5, 2.5, 3.5], "event_timestamp": NOON}),
    )
    opened.write_to_online_store(
        "pairs",
        pairs.assign(
            affinity=random.random(len(pairs)),
            follows=random.random(len(pairs)) < 0.5,
            words=pd.Series([["w" * int(n)] * 3 for n in random.integers(0, 90, len(pairs))]),
            event_timestamp=NOON,
        ).sample(frac=0.7, random_state=1),
    )
    opened.write_to_online_store("site", pd.DataFrame({"visits": [42], "event_timestamp": [NOON]}))
    yield opened
    opened.teardown()


@pytest.fixture
def asked() -> list[dict[str, Any]]:
    random = np.random.default_rng(4)
    return [{"user_id": int(random.integers(0, 7)), "handle": f"c{random.integers(0, 10)}"} for _ in range(60)]


@pytest.mark.parametrize("full_names", [False, True])
@pytest.mark.parametrize("versions", [False, True])
def test_the_answer_is_feasts_own(
    store: FeatureStore, asked: Any, full_names: bool, versions: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = store.get_feature_service("everything")
    options = {"full_feature_names": full_names, "include_feature_view_version_metadata": versions}
    ours = store.get_online_features(service, asked, **options)
    ours_async = asyncio.run(_read_async(store, service, asked, options))
    monkeypatch.setattr(PackedRedisOnlineStore, "_read_features_per_fv", OnlineStore._read_features_per_fv)
    theirs = store.get_online_features(service, asked, **options)
    assert ours.proto == theirs.proto
    assert ours_async.proto == theirs.proto
    answer = theirs.to_dict()
    affinity = answer["pairs__affinity" if full_names else "affinity"]
    assert 0 < sum(value is None for value in affinity) < len(affinity)
    assert set(answer["site__visits" if full_names else "visits"]) == {42}


async def _read_async(store: FeatureStore, service: FeatureService, asked: Any, options: Any) -> Any:
    try:
        return await store.get_online_features_async(service, asked, **options)
    finally:
        await store.close()


def test_the_fast_reader_sees_what_feast_sees(store: FeatureStore, stack: "EmbeddedStack", asked: Any) -> None:
    columns = {name: np.array([row[name] for row in asked]) for name in ("user_id", "handle")}
    expected = store.get_online_features(["users:age", "users:score", "pairs:affinity"], asked).to_dict()
    schemas = [row_schema(store.get_feature_view(name), store.project) for name in ("users", "pairs", "site")]
    reader = PackedReader.from_url(stack.settings().redis_url.get_secret_value(), schemas, timeout_seconds=5)
    rows = reader.read(columns)
    reader.close()
    assert rows["users"].values["age"].tolist() == [value or 0 for value in expected["age"]]
    for column, name in [(rows["users"].values["score"], "score"), (rows["pairs"].values["affinity"], "affinity")]:
        assert [None if np.isnan(value) else value for value in column.tolist()] == expected[name]
    assert rows["pairs"].found.tolist() == [value is not None for value in expected["affinity"]]
    assert rows["site"].values["visits"].tolist() == [42]


def test_feast_serve_answers_over_http_what_the_store_answers(
    store: FeatureStore, stack: "EmbeddedStack", asked: Any, tmp_path: Path
) -> None:
    references = ["users:age", "pairs:affinity", "pairs:words", "site:visits"]
    expected = store.get_online_features(references, asked).to_dict()
    repo = {
        "project": store.project,
        "provider": "local",
        "registry": store.config.registry.path,
        "online_store": {
            "type": "photofeed.online_store.store.PackedRedisOnlineStore",
            "redis_url": stack.settings().redis_url.get_secret_value(),
        },
        "entity_key_serialization_version": 3,
    }
    (tmp_path / "feature_store.yaml").write_text(json.dumps(repo))
    entities = {name: [row[name] for row in asked] for name in ("user_id", "handle")}
    with _feast_serve(tmp_path) as url, httpx.Client(transport=httpx.HTTPTransport(retries=9), timeout=60) as http:
        reply = http.post(f"{url}/get-online-features", json={"features": references, "entities": entities})
    assert reply.is_success, reply.text
    answer = reply.json()
    columns = dict(
        zip(answer["metadata"]["feature_names"], [result["values"] for result in answer["results"]], strict=True)
    )
    assert columns == expected


@contextmanager
def _feast_serve(repo: Path) -> Iterator[str]:
    port = free_port()
    feast = Path(sys.executable).with_name("feast")
    command = [str(feast), "-c", str(repo), "serve", "--host", "127.0.0.1", "--port", str(port)]
    with (repo / "serve.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:  # noqa: S603
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
