"""One person's feed under several models: the candidates and features of this moment in each model's own order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed import database
from photofeed.errors import InvalidError, NotFoundError, RetryableError
from photofeed.ids import decode_id, encode_id
from photofeed.model_contract import ModelBundle, ModelRegistry
from photofeed.object_store import ObjectStore, S3ObjectStore
from photofeed.settings import Settings
from photofeed.tokens import mint_token
from training.intervals import FloatArray

SHOWN = 30
CONTRIBUTIONS = 3
SMALLEST_PICTURE = 320  # pixels; the next variant above it is shown
SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A post that may be shown. `reason` is what the feed says of it, empty where it was not in the slate."""

    post_id: int
    source: str
    reason: str
    handle: str
    caption: str
    topic: str
    posted_at: datetime
    picture: bytes  # JPEG, empty where there is none


@dataclass(frozen=True, slots=True)
class Placed:
    """A post in a model's order, with the features that moved its score most: (name, value, contribution)."""

    post: Candidate
    score: float
    why: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """A person's feed under each model, best first: by score alone, before explore slots and rules of variety."""

    handle: str
    at: datetime
    columns: Mapping[str, Sequence[Placed]]


def preview(settings: Settings, handle: str, models: Sequence[str], shown: int = SHOWN) -> Preview:
    """The feed of the person `handle` under `models`, each an alias or a version number; the API must be running.

    Raises:
        NotFoundError: no such person or version.
        InvalidError: a model reads features that the API does not compute, or there are none to rank by.
        RetryableError: the API, MLflow or object storage does not answer.
    """
    if not models:
        raise InvalidError("say which models are to rank: --models champion,5")
    with database.connect(settings) as connection:
        person = connection.execute("select id from users where handle = %s", (handle.lower(),)).fetchone()
    if person is None:
        raise NotFoundError(f"nobody is called {handle!r}")
    feed = _explained_feed(settings, person["id"])
    found = [one for one in feed["explanation"]["candidates"] if one.get("features")]
    if not found:
        raise InvalidError(f"there is nothing to rank for {handle}: no candidate has features")
    names = tuple(feed["explanation"]["featureNames"])
    matrix = np.array([one["features"] for one in found], dtype=np.float32)
    columns: dict[str, list[tuple[int, float, tuple[tuple[str, float, float], ...]]]] = {}
    with ModelRegistry.connect(settings) as registry:
        for model in models:
            bundle = registry.fetch(model, settings.state_dir / "models")
            label = f"{model} (version {bundle.version})" if model != bundle.version else f"version {model}"
            columns[label] = _order(bundle, names, matrix, shown)
    wanted = {row for column in columns.values() for row, *_ in column}
    reasons = {item["post"]["id"]: item["reason"] for item in feed["items"]}
    posts = _posts(settings, S3ObjectStore.connect(settings), {row: found[row] for row in wanted}, reasons)
    return Preview(
        handle,
        datetime.now().astimezone(),
        {
            label: [Placed(posts[row], score, why) for row, score, why in column if row in posts]
            for label, column in columns.items()
        },
    )


def _explained_feed(settings: Settings, user_id: int) -> Any:
    import httpx  # noqa: PLC0415

    headers = {"Authorization": f"Bearer {mint_token(settings, user_id)}"}
    query = {"limit": 100, "explain": True}
    try:
        reply = httpx.get(f"{settings.public_url}/v1/feed", params=query, headers=headers, timeout=SECONDS)
    except httpx.TransportError as error:
        raise RetryableError(f"the API does not answer at {settings.public_url}: {error}") from error
    if not reply.is_success:
        raise InvalidError(f"the API gives no explained feed ({reply.status_code}): {reply.text[:200]}")
    return reply.json()


def _order(
    bundle: ModelBundle, names: tuple[str, ...], matrix: NDArray[np.float32], shown: int
) -> list[tuple[int, float, tuple[tuple[str, float, float], ...]]]:
    """(row, score, why) of the best rows."""
    import lightgbm  # noqa: PLC0415

    wanted = bundle.contract.feature_names
    if unknown := sorted(set(wanted) - set(names)):
        raise InvalidError(f"version {bundle.version} reads features that the API does not compute: {unknown}")
    rows = np.ascontiguousarray(matrix[:, [names.index(name) for name in wanted]])
    booster = lightgbm.Booster(model_file=bundle.model_path)
    scores: FloatArray = booster.predict(rows, raw_score=True)
    best = np.argsort(-scores, kind="stable")[:shown]
    contributions: FloatArray = booster.predict(rows[best], pred_contrib=True)[:, :-1]  # the last is the mean score
    order = []
    for row, moved in zip(best.tolist(), contributions, strict=True):
        most = np.argsort(-np.abs(moved))[:CONTRIBUTIONS].tolist()
        why = tuple((wanted[i], float(rows[row, i]), float(moved[i])) for i in most)
        order.append((row, float(scores[row]), why))
    return order


_POSTS = """
select p.id, p.caption, p.topic, p.posted_at, u.handle, ph.variants
from posts p join photos ph on ph.id = p.id join users u on u.id = p.author_id where p.id = any(%s)
"""


def _posts(
    settings: Settings, objects: ObjectStore, found: Mapping[int, dict[str, Any]], reasons: Mapping[str, str]
) -> dict[int, Candidate]:
    """Row -> post; those deleted meanwhile are left out."""
    ids = {decode_id(one["postId"]): row for row, one in found.items()}
    with database.connect(settings) as connection:
        rows = connection.execute(_POSTS, (list(ids),)).fetchall()
    return {
        ids[post["id"]]: Candidate(
            post_id=post["id"],
            source=found[ids[post["id"]]]["source"],
            reason=reasons.get(encode_id(post["id"]), ""),
            handle=post["handle"],
            caption=post["caption"],
            topic=post["topic"],
            posted_at=post["posted_at"],
            picture=_picture(settings, objects, post["variants"]),
        )
        for post in rows
    }


def _picture(settings: Settings, objects: ObjectStore, variants: Sequence[Mapping[str, Any]]) -> bytes:
    jpegs = sorted((one for one in variants if one["format"] == "jpeg"), key=lambda one: int(one["size"]))
    fitting = [one for one in jpegs if int(one["size"]) >= SMALLEST_PICTURE] or jpegs[-1:]
    return objects.get(settings.bucket_variants, fitting[0]["key"]) if fitting else b""
