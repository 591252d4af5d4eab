"""Benchmarks of the feature platform: online reads, time from event to feature, and training sets.

Prints the tables of all parts, then one line of JSON.
"""

import json
from enum import StrEnum
from typing import Annotated, Any

import typer


class Part(StrEnum):
    """A part that can be measured separately."""

    ONLINE = "online"
    FEAST = "feast"
    STREAM = "stream"
    TRAINING_SET = "training-set"


def main(
    small: Annotated[bool, typer.Option(help="A small run of a few minutes. A full one takes 15 minutes.")] = False,
    only: Annotated[list[Part] | None, typer.Option(help="Measure this part only. Can be repeated.")] = None,
) -> None:
    """Measure the parts in sequence."""
    figures: dict[str, Any] = {}
    for part in only or Part:
        figures |= measure(part, small=small)
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


def measure(part: Part, *, small: bool) -> dict[str, Any]:
    """Measure one part and import only its modules."""
    match part:
        case Part.ONLINE:
            import features_online

            return features_online.run(small=small)
        case Part.FEAST:
            import features_feast

            return features_feast.run(small=small)
        case Part.STREAM:
            import features_stream

            return features_stream.run(small=small)
        case Part.TRAINING_SET:
            import features_training_set

            return features_training_set.run(small=small)


if __name__ == "__main__":
    typer.run(main)
