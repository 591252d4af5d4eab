"""Short words for declaring features: decayed counters, plain values, and where their rows lie."""

import os

from feast import FileSource, PushSource
from feast.data_format import ParquetFormat
from feast.field import Field
from feast.types import Float32, Float64, Int64

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
NEVER = float("inf")


def decayed(name: str, counts: str, *, half_life: float, unit: str, about: str) -> Field:
    """A counter that halves every `half_life` seconds; `counts` follows photofeed.features.counters."""
    tags = {"counts": counts, "half_life_seconds": repr(half_life), "default": "0", "unit": unit}
    return Field(name=name, dtype=Float64, description=about, tags=tags)


def as_of() -> Field:
    """The moment at which a row's counters are true, so that a reader can decay them to now."""
    about = "Moment at which the counters of this row are true"
    return Field(name="as_of", dtype=Int64, description=about, tags={"unit": "microseconds since 1970", "default": "0"})


def value(name: str, *, unit: str, about: str, default: str = "nan") -> Field:
    """A number that stays as it is."""
    return Field(name=name, dtype=Float32, description=about, tags={"unit": unit, "default": default})


def number(name: str, *, unit: str, about: str) -> Field:
    """A whole number of 64 bits: ids and moments, which a float would round."""
    return Field(name=name, dtype=Int64, description=about, tags={"unit": unit, "default": "0"})


def pushed(view: str) -> PushSource:
    """Rows that workers push; their history is Parquet in object storage."""
    history = FileSource(
        name=f"{view}_history",
        path=f"s3://{os.environ['PHOTOFEED_FEAST_BUCKET']}/features/{view}",
        s3_endpoint_override=os.environ["PHOTOFEED_FEAST_S3_ENDPOINT_URL"],
        file_format=ParquetFormat(),
        timestamp_field="event_timestamp",
        created_timestamp_column="created",
    )
    return PushSource(name=view, batch_source=history)
