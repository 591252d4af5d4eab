"""The `feed.served` message: one page of a feed as it was shown, with the data it was ranked by."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import PoisonError
from photofeed.events import Envelope

MESSAGE_TYPE = "feed.served"


class ServedItem(NamedTuple):
    """One post of a page. A tuple, because a server makes thirty of them for every page.

    Attributes:
        post_id: the post.
        creator_id: its author.
        position: in the feed as the viewer saw it, from 0 on its first page.
        score: of the model or fallback that ranked it.
        source: "following", "celebrity" or "explore".
        pool: the candidate source by its own name; None in messages that were written before it was logged.
        propensity: the probability with which it was drawn; 1 for posts of the follow graph.
    """

    post_id: int
    creator_id: int
    position: int
    score: float
    source: str
    pool: str | None
    propensity: float


@dataclass(frozen=True, slots=True, eq=False)
class ShadowScores:
    """What the challenger would have scored the items: float64 (items,), NaN where it has no score."""

    model_version: str
    scores: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ServedPage:
    """One page as it was shown.

    Attributes:
        slate_id: of the slate that the page belongs to.
        user_id: the viewer.
        offset: index of the slate's first post that no earlier page looked at; None in old messages.
        ranking: the ranker that scored the slate: "model", "popularity", ...
        model_version: if a model scored it.
        experiment: that the viewer is part of, if any.
        arm: of the experiment.
        served_at: time of the reply.
        ranked_at: the time of the features; None in old messages.
        items: in the order in which they were shown.
        feature_names: of the columns of `features`; None without features.
        features: float32 (items, features) as the model saw them, NaN for missing values; (items, 0) without features.
        shadow: the challenger's scores, if there was a challenger.
    """

    slate_id: str
    user_id: int
    offset: int | None
    ranking: str
    model_version: str | None
    experiment: str | None
    arm: str | None
    served_at: datetime
    ranked_at: datetime | None
    items: tuple[ServedItem, ...]
    feature_names: tuple[str, ...] | None
    features: NDArray[np.float32]
    shadow: ShadowScores | None = None

    def to_envelope(self) -> Envelope:
        """The page as a message, keyed by the viewer."""
        payload: dict[str, Any] = {
            "slateId": self.slate_id,
            "userId": self.user_id,
            "offset": self.offset,
            "ranking": self.ranking,
            "modelVersion": self.model_version,
            "experiment": self.experiment,
            "arm": self.arm,
            "rankedAt": self.ranked_at.isoformat() if self.ranked_at else None,
            "featureNames": self.feature_names,
            "servedAt": self.served_at.isoformat(),
            # float32 rows: half as long in JSON as float64, and read back exactly
            "items": list(map(_item_json, self.items, self.features)),
        }
        if self.shadow is not None:
            payload["shadow"] = {"modelVersion": self.shadow.model_version, "scores": self.shadow.scores}
        return Envelope(MESSAGE_TYPE, str(self.user_id), payload, occurred_at=self.served_at)

    @staticmethod
    def from_envelope(envelope: Envelope) -> "ServedPage":
        """The page in a message, also in one of an older release.

        Raises:
            PoisonError: a field is missing or of the wrong kind.
        """
        payload = envelope.payload
        try:
            names = payload.get("featureNames")
            return ServedPage(
                slate_id=str(payload["slateId"]),
                user_id=int(payload["userId"]),
                offset=payload.get("offset"),
                ranking=str(payload["ranking"]),
                model_version=payload["modelVersion"],
                experiment=payload.get("experiment"),
                arm=payload.get("arm"),
                served_at=_moment(payload["servedAt"]),
                ranked_at=_moment(payload["rankedAt"]) if payload.get("rankedAt") else None,
                items=tuple(_item(item) for item in payload["items"]),
                feature_names=tuple(names) if names else None,
                features=_matrix([item["features"] for item in payload["items"]]),
                shadow=_shadow(payload.get("shadow"), len(payload["items"])),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise PoisonError(f"not a served page: {error!r}") from error


def _item_json(item: ServedItem, features: NDArray[np.float32]) -> dict[str, Any]:
    post_id, creator_id, position, score, source, pool, propensity = item
    return {
        "postId": post_id,
        "creatorId": creator_id,
        "position": position,
        "score": score,
        "source": source,
        "pool": pool,
        "propensity": propensity,
        "features": features,
    }


def _item(document: dict[str, Any]) -> ServedItem:
    return ServedItem(
        post_id=int(document["postId"]),
        creator_id=int(document["creatorId"]),
        position=int(document["position"]),
        score=float(document["score"]),
        source=str(document["source"]),
        pool=document.get("pool"),
        propensity=float(document["propensity"]),
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _matrix(rows: list[list[float | None]]) -> NDArray[np.float32]:
    """Rows of equal length as an array; null, which stands for NaN in JSON, becomes NaN again."""
    matrix = np.array(rows, np.float32) if rows else np.empty((0, 0), np.float32)
    if matrix.ndim != 2:  # noqa: PLR2004  rows and columns
        raise ValueError("features are not a list per item")
    return matrix


def _shadow(document: dict[str, Any] | None, count: int) -> ShadowScores | None:
    if document is None:
        return None
    scores = np.array(document["scores"], np.float64)
    if scores.shape != (count,):
        raise ValueError(f"{count} items have shadow scores of the shape {scores.shape}")
    return ShadowScores(str(document["modelVersion"]), scores)
