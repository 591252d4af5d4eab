"""The feature platform's figures in one run: reads online, from event to feature, and training sets.

Prints the table of every part, then one line of JSON.
"""

import json
from enum import StrEnum
from typing import Annotated, Any

import typer


class Part(StrEnum):
    """What can be measured by itself."""

    ONLINE = "online"
    STREAM = "stream"
    TRAINING_SET = "training-set"


def main(
    small: Annotated[bool, typer.Option(help="Minutes instead of a quarter of an hour.")] = False,
    only: Annotated[list[Part] | None, typer.Option(help="Part to measure; may be repeated.")] = None,
) -> None:
    """Measure the parts, one after the other."""
    found: dict[str, Any] = {}
    for part in only or Part:
        found |= measure(part, small=small)
    print(json.dumps({name: round(value, 3) for name, value in found.items()}))


def measure(part: Part, *, small: bool) -> dict[str, Any]:
    """One part; only what it needs is imported."""
    match part:
        case Part.ONLINE:
            import features_online  # noqa: PLC0415

            return features_online.run(small=small)
        case Part.STREAM:
            import features_stream  # noqa: PLC0415

            return features_stream.run(small=small)
        case Part.TRAINING_SET:
            import features_training_set  # noqa: PLC0415

            return features_training_set.run(small=small)


if __name__ == "__main__":
    typer.run(main)
