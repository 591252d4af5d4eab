"""One viewer's feed under several models: the current candidates and features, in the order of each model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed import database
from photofeed.arrays import FloatArray
from photofeed.errors import InvalidError, NotFoundError, RetryableError
from photofeed.ids import decode_id, encode_id
from photofeed.models.contract import LIGHTGBM
from photofeed.models.registry import ModelBundle, ModelRegistry
from photofeed.models.servable import load_scorer
from photofeed.object_store import ObjectStore, S3ObjectStore
from photofeed.settings import Settings
from photofeed.tokens import mint_token

POSTS_SHOWN = 30
CONTRIBUTIONS = 3  # features listed per post
MIN_PICTURE_SIZE = 320  # pixels: the smallest variant of at least this size is shown
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate post. `reason` is the reason shown in the feed; empty if the post was not in the slate."""

    post_id: int
    source: str
    reason: str
    handle: str
    caption: str
    topic: str
    posted_at: datetime
    picture: bytes  # JPEG; empty if there is none


@dataclass(frozen=True, slots=True)
class RankedPost:
    """A post in the order of a model, with the features of largest contribution: (name, value, contribution)."""

    post: Candidate
    score: float
    contributions: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """A viewer's feed under each model, best first: by score alone, without explore slots and reranking rules."""

    handle: str
    at: datetime
    columns: Mapping[str, Sequence[RankedPost]]


def preview(settings: Settings, handle: str, models: Sequence[str], shown: int = POSTS_SHOWN) -> Preview:
    """The feed of the user `handle` under `models`, each an alias or a version number. The API must be running.

    Raises:
        NotFoundError: no such user or version.
        InvalidError: a model needs features that the API does not compute, or no candidate has features.
        RetryableError: the API, MLflow or object storage does not answer.
    """
    if not models:
        raise InvalidError("name the models: --models champion,5")
    with database.connect(settings) as connection:
        person = connection.execute("select id from users where handle = %s", (handle.lower(),)).fetchone()
    if person is None:
        raise NotFoundError(f"there is no user {handle!r}")
    feed = _explained_feed(settings, person["id"])
    found = [one for one in feed["explanation"]["candidates"] if one.get("features")]
    if not found:
        raise InvalidError(f"nothing to rank for {handle}: no candidate has features")
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
            label: [RankedPost(posts[row], score, why) for row, score, why in column if row in posts]
            for label, column in columns.items()
        },
    )


def _explained_feed(settings: Settings, user_id: int) -> Any:
    import httpx

    headers = {"Authorization": f"Bearer {mint_token(settings, user_id)}"}
    query = {"limit": 100, "explain": True}
    try:
        reply = httpx.get(f"{settings.public_url}/v1/feed", params=query, headers=headers, timeout=TIMEOUT_SECONDS)
    except httpx.TransportError as error:
        raise RetryableError(f"the API does not answer at {settings.public_url}: {error}") from error
    if not reply.is_success:
        raise InvalidError(f"the API did not return an explained feed ({reply.status_code}): {reply.text[:200]}")
    return reply.json()


def _order(
    bundle: ModelBundle, names: tuple[str, ...], matrix: NDArray[np.float32], shown: int
) -> list[tuple[int, float, tuple[tuple[str, float, float], ...]]]:
    """(row, score, contributions) of the best rows."""
    wanted = bundle.contract.feature_names
    if unknown := sorted(set(wanted) - set(names)):
        raise InvalidError(f"version {bundle.version} needs features that the API does not compute: {unknown}")
    rows = np.ascontiguousarray(matrix[:, [names.index(name) for name in wanted]])
    scores, contribute = _scored(bundle, rows)
    best = np.argsort(-scores, kind="stable")[:shown]
    contributions = contribute(rows[best])
    order = []
    for row, moved in zip(best.tolist(), contributions, strict=True):
        most = np.argsort(-np.abs(moved))[:CONTRIBUTIONS].tolist()
        why = tuple((wanted[i], float(rows[row, i]), float(moved[i])) for i in most)
        order.append((row, float(scores[row]), why))
    return order


def _scored(
    bundle: ModelBundle, rows: NDArray[np.float32]
) -> tuple[FloatArray, Callable[[NDArray[np.float32]], FloatArray]]:
    """The scores of the rows, and what computes the contributions of features: 0 for models that tell none."""
    if bundle.contract.engine != LIGHTGBM:
        return load_scorer(bundle).score(rows), lambda some: np.zeros(some.shape)
    import lightgbm

    booster = lightgbm.Booster(model_file=bundle.model_path)
    # the last contribution is the mean score
    return booster.predict(rows, raw_score=True), lambda some: booster.predict(some, pred_contrib=True)[:, :-1]


_POSTS = """
select p.id, p.caption, p.topic, p.posted_at, u.handle, ph.variants
from posts p join photos ph on ph.id = p.id join users u on u.id = p.author_id where p.id = any(%s)
"""


def _posts(
    settings: Settings, objects: ObjectStore, found: Mapping[int, dict[str, Any]], reasons: Mapping[str, str]
) -> dict[int, Candidate]:
    """Row -> post. Posts that were deleted since are left out."""
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
    fitting = [one for one in jpegs if int(one["size"]) >= MIN_PICTURE_SIZE] or jpegs[-1:]
    return objects.get(settings.bucket_variants, fitting[0]["key"]) if fitting else b""
