"""What a scene returns: its light, and what can be said about the picture."""

from dataclasses import dataclass

from simulation.pictures.colour import Pixels


@dataclass(frozen=True, slots=True)
class Depiction:
    """A painted scene: `scene` (3, height, width) in linear light, and the `facts` that its caption may mention.

    The facts are the name of the time of day (`daylight`), the weather, the season and what is in the picture.
    """

    scene: Pixels
    facts: frozenset[str]


def depict(scene: Pixels, *facts: str) -> Depiction:
    """A depiction with some facts. Empty ones are left out."""
    return Depiction(scene, frozenset(filter(None, facts)))
