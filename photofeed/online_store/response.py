"""Feast's online response, assembled in protobuf's wire format: columns of bytes instead of a message per value.

A `FeatureVector` is `repeated Value values = 1; repeated FieldStatus statuses = 2; repeated Timestamp event_timestamps
= 3`. One message for each of 16,000 values (500 rows of 32 features) is most of the cost of a request in Feast.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from feast import FeatureView
from feast.metrics import track_feature_statuses
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus
from google.protobuf.timestamp_pb2 import Timestamp  # type: ignore[import-untyped]  # no types of its own

from photofeed.online_store.codec import RowCodec, timestamps
from photofeed.online_store.protos import serialized_values

_VALUES, _STATUSES, _TIMES = (number << 3 | 2 for number in (1, 2, 3))
_SECOND_US = 1_000_000


def add_feature_vectors(
    response: Any,
    table: FeatureView,
    codec: RowCodec,
    stored: Sequence[bytes | None],
    requested: Sequence[str],
    *,
    indexes: Sequence[Sequence[int]],
    length: int,
    full_feature_names: bool,
    version_metadata: bool,
) -> None:
    """Append one feature vector per requested feature to a GetOnlineFeaturesResponse.

    Args:
        response: the response to append to.
        table: the view that was read.
        codec: the codec of that view.
        stored: the stored value of each distinct entity.
        requested: names of features.
        indexes: per distinct entity, its rows of the response.
        length: number of rows of the response.
        full_feature_names: prefix feature names with the view's name.
        version_metadata: include the view's version.
    """
    _describe(response, table, requested, full_feature_names, version_metadata)
    decoded = codec.decode(stored)
    # for each row of the response, its position among the readable rows; `missing`, the last one, means not found
    missing = len(decoded.rows)
    order = [missing] * length
    readable = iter(range(missing))
    for found, destinations in zip(decoded.found.tolist(), indexes, strict=True):
        position = next(readable) if found else missing
        for destination in destinations:
            order[destination] = position
    times = [_moment(us) for us in timestamps(decoded.rows["event"]).tolist()]
    status = bytes([FieldStatus.PRESENT]) * missing + bytes([FieldStatus.NOT_FOUND])
    statuses = bytes([status[position] for position in order])
    shared = _head(_STATUSES, length) + statuses + _gather(_TIMES, times, order)
    for column in serialized_values(codec, decoded, stored, requested):
        response.results.add().MergeFromString(_gather(_VALUES, column, order) + shared)
    present = sum(position != missing for position in order)
    track_feature_statuses(table.name, present * len(requested), (length - present) * len(requested))


def _describe(response: Any, table: FeatureView, requested: Sequence[str], full_names: bool, version: bool) -> None:
    prefix = f"{table.projection.name_to_use()}__" if full_names else ""
    response.metadata.feature_names.val.extend(prefix + name for name in requested)
    plain_name = table.projection.name_alias or table.projection.name
    if version and all(known.name != plain_name for known in response.metadata.feature_view_metadata):
        response.metadata.feature_view_metadata.add(name=plain_name, version=table.current_version_number or 0)


def _gather(tag: int, messages: Sequence[bytes], order: Sequence[int]) -> bytes:
    delimited = [_head(tag, len(message)) + message for message in messages]
    delimited.append(_head(tag, 0))
    return b"".join([delimited[position] for position in order])


@lru_cache(maxsize=1024)
def _head(tag: int, length: int) -> bytes:
    """Tag and length of a field; the length is a varint: seven bits per byte, and the eighth is set if more follow."""
    head = bytearray([tag])
    while length > 0x7F:  # noqa: PLR2004
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head)


def _moment(us: int) -> bytes:
    seconds, rest = divmod(us, _SECOND_US)
    serialized: bytes = Timestamp(seconds=seconds, nanos=rest * 1000).SerializeToString()
    return serialized
