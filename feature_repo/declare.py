"""Helpers that declare features: decayed counters, plain values, and where their rows are stored."""

import os
from collections.abc import Mapping

from feast import FileSource, PushSource
from feast.data_format import ParquetFormat
from feast.field import Field
from feast.types import Float32, Float64, Int64

from photofeed.action_weights import ENGAGEMENT_WEIGHTS, UNDONE_BY, UNWELCOME_WEIGHTS
from photofeed.events import Action

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
NEVER = float("inf")


def counts(weights: Mapping[Action, float], content_type: str = "") -> str:
    """The terms of a counter: actions with their weights, limited to one content type if it is given.

    The action that undoes another counts with the opposite weight.
    """
    terms: list[str] = []
    of = f"@{content_type}" if content_type else ""
    for action, weight in weights.items():
        terms.append(f"{action}{of}={weight:g}")
        if action in UNDONE_BY:
            terms.append(f"{UNDONE_BY[action]}{of}={-weight:g}")
    return " ".join(terms)


ENGAGEMENT = counts(ENGAGEMENT_WEIGHTS)
PHOTO_ENGAGEMENT = counts(ENGAGEMENT_WEIGHTS, "photo")
REEL_ENGAGEMENT = counts(ENGAGEMENT_WEIGHTS, "reel")
UNWELCOME = counts(UNWELCOME_WEIGHTS)


def decayed(name: str, of: str, *, half_life: float, unit: str, about: str) -> Field:
    """A counter that halves every `half_life` seconds. photofeed.features.counters describes the form of `of`."""
    tags = {"counts": of, "half_life_seconds": repr(half_life), "default": "0", "unit": unit}
    return Field(name=name, dtype=Float64, description=about, tags=tags)


def as_of() -> Field:
    """The moment at which the counters of a row hold, so that a reader can decay them to now."""
    about = "Moment at which the counters of this row hold"
    return Field(name="as_of", dtype=Int64, description=about, tags={"unit": "microseconds since 1970", "default": "0"})


def value(name: str, *, unit: str, about: str, default: str = "nan") -> Field:
    """A number that does not decay."""
    return Field(name=name, dtype=Float32, description=about, tags={"unit": unit, "default": default})


def number(name: str, *, unit: str, about: str) -> Field:
    """A 64-bit integer: ids and timestamps, which a float would round."""
    return Field(name=name, dtype=Int64, description=about, tags={"unit": unit, "default": "0"})


def pushed(view: str) -> PushSource:
    """Rows that workers push. Their history is Parquet in object storage."""
    history = FileSource(
        name=f"{view}_history",
        path=f"s3://{os.environ['PHOTOFEED_FEAST_BUCKET']}/features/{view}",
        s3_endpoint_override=os.environ["PHOTOFEED_FEAST_S3_ENDPOINT_URL"],
        file_format=ParquetFormat(),
        timestamp_field="event_timestamp",
        created_timestamp_column="created",
    )
    return PushSource(name=view, batch_source=history)
