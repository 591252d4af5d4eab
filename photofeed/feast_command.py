"""Feast's command line, as `photofeed feast` runs it: with a clean plan, and pages for this machine only.

Feast's registry stores with each view its data sources, and in them the times of the apply. Declared sources have no
such times, so Feast's own plan shows every view as updated, always. Feast's pages let everybody write features, and
`feast ui` listens on all addresses unless it gets another one.
"""

from collections.abc import Sequence
from typing import Any

from feast.cli.cli import cli
from feast.diff import registry_diff
from feast.diff.property_diff import TransitionType
from feast.protos.feast.core.DataSource_pb2 import DataSource

_compared_by_feast = registry_diff.diff_registry_objects


def compared(current: Any, new: Any, kind: Any) -> Any:
    """Feast's difference of two objects, without the times of data sources."""
    found = _compared_by_feast(current, new, kind)
    if found.transition_type is TransitionType.UPDATE:
        found.feast_object_property_diffs = [
            one
            for one in found.feast_object_property_diffs
            if _timeless(one.val_existing) != _timeless(one.val_declared)
        ]
        if not found.feast_object_property_diffs:
            found.transition_type = TransitionType.UNCHANGED
    return found


def run(arguments: Sequence[str]) -> None:
    """Run a command of Feast, and exit."""
    registry_diff.diff_registry_objects = compared
    for option in cli.commands["ui"].params:
        if option.name == "host":
            option.default = "127.0.0.1"
    cli(args=arguments, prog_name="photofeed feast")


def _timeless(value: Any) -> Any:
    if not isinstance(value, DataSource):
        return value
    source = DataSource()
    source.CopyFrom(value)
    source.ClearField("meta")
    if source.HasField("batch_source"):
        source.batch_source.CopyFrom(_timeless(source.batch_source))
    return source
