"""The same feed from stock libraries: Feast's SDK and Redis store, Booster.predict on a DataFrame, dicts to FastAPI.

Users, candidates, feature values, model and posts are the same as photofeed's. Feast writes the feature values to
another database of the same Redis, for a few users and all their candidates.
"""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import lightgbm
import numpy as np
import pandas as pd
from fastapi import FastAPI, Header
from feast import Entity, FeatureStore, FeatureView, FileSource, ValueType
from feast.field import Field
from feast.types import Float32, Float64, Int64
from feast_stores import open_feature_store
from feed_model import MODEL_FOLDER
from psycopg import Connection
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from photofeed.features.manifest import FeatureManifest, ManifestView
from photofeed.features.ranking import FEATURE_NAMES, ranking_matrix
from photofeed.features.stored import StoredFeatures
from photofeed.ids import decode_id, encode_id
from photofeed.models.contract import ModelContract
from photofeed.models.registry import CONTRACT_FILE, MODEL_FILE
from photofeed.online_store.reader import PackedReader
from photofeed.posts import decode_members
from photofeed.redis_client import connect_redis
from photofeed.settings import Settings, load_settings
from photofeed.timelines import FRESH_POOL, timeline_key
from photofeed.tokens import TokenVerifier

DATABASE = 1  # of Redis
EXPLORE_SHARE = 0.2
TYPES = {"FLOAT": Float32, "DOUBLE": Float64, "INT64": Int64}
COLUMNS = ("user_id", "post_id", "creator_id", "topic_id")
POSTS = """
select p.id, p.caption, p.tags, p.topic, p.content_type, p.posted_at, p.like_count, p.comment_count, p.save_count,
       ph.width, ph.height, ph.blurhash, ph.dominant_color, ph.variants, u.id as author_id, u.handle, u.display_name,
       exists (select 1 from likes l where l.user_id = %(viewer)s and l.post_id = p.id) as liked,
       exists (select 1 from saves s where s.user_id = %(viewer)s and s.post_id = p.id) as saved,
       exists (select 1 from follows f where f.follower_id = %(viewer)s and f.followee_id = u.id) as followed
from posts p join photos ph on ph.id = p.id join users u on u.id = p.author_id
where p.id = any(%(posts)s) and p.visible and not exists (
    select 1 from blocks b where (b.blocker_id = u.id and b.blocked_id = %(viewer)s)
                              or (b.blocker_id = %(viewer)s and b.blocked_id = u.id))
"""


def candidates(redis: Any, user_id: int, count: int) -> pd.DataFrame:
    """The newest posts of the timeline and of the fresh pool, one row of entity ids each."""
    explore = round(count * EXPLORE_SHARE)
    members = redis.zrange(timeline_key(user_id), 0, count - explore - 1, desc=True)
    members += redis.zrange(FRESH_POOL, 0, count - len(members) - 1, desc=True)
    rows = decode_members(members)
    columns = (np.full(len(rows), user_id), rows["post_id"], rows["author_id"], rows["topic_id"])
    frame = pd.DataFrame({name: column.astype(np.int64) for name, column in zip(COLUMNS, columns, strict=True)})
    return frame.drop_duplicates("post_id")


def open_store(settings: Settings, folder: Path, manifest: FeatureManifest) -> FeatureStore:
    """A Feast store on Feast's Redis online store, with the same views."""
    redis = urlsplit(settings.redis_url.get_secret_value())
    online = {
        "type": "redis",
        "connection_string": f"{redis.hostname}:{redis.port},password={redis.password},db={DATABASE}",
    }
    store = open_feature_store("stock", folder / "stock_registry.db", online=online)
    entities = {
        name: Entity(name=name.removesuffix("_id"), join_keys=[name], value_type=ValueType.INT64) for name in COLUMNS
    }
    store.apply([*entities.values(), *(_view(view, entities, folder) for view in manifest.views)])
    return store


def _view(view: ManifestView, entities: dict[str, Entity], folder: Path) -> FeatureView:
    keys = [key.name for key in view.schema.join_keys]
    history = folder / f"stock_{view.name}.parquet"
    columns = {name: pd.Series(dtype="int64") for name in keys}
    columns |= {field.name: pd.Series(dtype="float64") for field in view.schema.fields}
    pd.DataFrame(columns | {"event_timestamp": pd.Series(dtype="datetime64[us, UTC]")}).to_parquet(history)
    return FeatureView(
        name=view.name,
        entities=[entities[name] for name in keys],
        ttl=timedelta(0),
        schema=[Field(name=name, dtype=Int64) for name in keys]
        + [Field(name=field.name, dtype=TYPES[field.value_type]) for field in view.schema.fields],
        source=FileSource(name=f"{view.name}_history", path=str(history), timestamp_field="event_timestamp"),
    )


def materialise(settings: Settings, folder: Path, user_ids: Sequence[int]) -> None:
    """Write the features of these users' feeds to Feast's Redis store."""
    manifest = _contract(folder).manifest
    store = open_store(settings, folder, manifest)
    with connect_redis(settings) as redis:
        rows = pd.concat([candidates(redis, user_id, settings.candidates) for user_id in user_ids])
        reader = PackedReader([view.schema for view in manifest.views], client=redis)
        for view in manifest.views:
            keys = [key.name for key in view.schema.join_keys]
            entities = rows[keys].drop_duplicates()
            read = reader.read({name: entities[name].to_numpy() for name in keys}, [view.name])[view.name]
            frame = entities.assign(**{field.name: read.values[field.name] for field in view.schema.fields})
            frame["event_timestamp"] = datetime.now(UTC)
            store.write_to_online_store(view.name, frame[read.found])


def _contract(folder: Path) -> ModelContract:
    return ModelContract.from_json((folder / CONTRACT_FILE).read_bytes())


def make_app() -> FastAPI:
    """The server."""
    settings, folder = load_settings(), Path(os.environ[MODEL_FOLDER])
    manifest = _contract(folder).manifest
    store = open_store(settings, folder, manifest)
    references = [f"{view.name}:{field.name}" for view in manifest.views for field in view.schema.fields]
    booster = lightgbm.Booster(model_file=folder / MODEL_FILE)
    verifier, redis = TokenVerifier(settings), connect_redis(settings)
    pool: ConnectionPool[Connection[dict[str, Any]]] = ConnectionPool(
        settings.database_url.get_secret_value(), min_size=1, open=True, kwargs={"row_factory": dict_row}
    )
    app = FastAPI()

    @app.get("/v1/feed")
    def feed(authorization: Annotated[str, Header()]) -> dict[str, Any]:
        viewer = verifier.verify(authorization.removeprefix("Bearer ")).user_id or 0
        found = candidates(redis, viewer, settings.candidates)
        online = store.get_online_features(references, found.to_dict("records"), full_feature_names=True).to_df()
        columns = {name: pd.to_numeric(online[name]).fillna(0).to_numpy() for name in online if "__" in name}
        stored = StoredFeatures(columns, manifest, datetime.now(UTC).timestamp())
        frame = pd.DataFrame(ranking_matrix(stored, len(found)), columns=list(FEATURE_NAMES))
        ranked = found.assign(score=booster.predict(frame)).nlargest(30, "score")
        with pool.connection() as connection:
            rows = connection.execute(POSTS, {"viewer": viewer, "posts": ranked["post_id"].tolist()}).fetchall()
        posts = {row["id"]: row for row in rows}
        shown = ranked[ranked["post_id"].isin(list(posts))]
        return {
            "items": [
                {"position": position, "score": row.score, "post": _post_json(settings.public_url, posts[row.post_id])}
                for position, row in enumerate(shown.itertuples())
            ]
        }

    return app


def _post_json(public_url: str, row: dict[str, Any]) -> dict[str, Any]:
    post_id = encode_id(row["id"])
    images = {
        str(one["size"]): {
            "url": f"{public_url}/photos/{post_id}/{one['size']}",
            "width": one["width"],
            "height": one["height"],
        }
        for one in row["variants"]
    }
    return {**row, "id": post_id, "author_id": encode_id(row["author_id"]), "variants": images}


if __name__ == "__main__":
    materialise(load_settings(), Path(os.environ[MODEL_FOLDER]), [decode_id(text) for text in sys.argv[1:]])
