"""What the simulated people write under posts."""

from numpy.random import Generator

_ANYWHERE = (
    "Love this.",
    "This made my morning.",
    "How did you get that light?",
    "Where is this?",
    "Saving this one for later.",
    "So calm. I could look at it for an hour.",
    "The colours!",
    "One of your best.",
    "I needed this today.",
    "More of these, please.",
    "Beautifully framed.",
    "I want to be there right now.",
    "That is going on my wall.",
    "Wow.",
)
_ABOUT = ("Your {topic} pictures are the reason I follow you.", "Best {topic} shot I have seen this week.")

_ABOUT_SHARE = 0.25


def draw_comment(topic: str, rng: Generator) -> str:
    """A short comment, now and then about the topic."""
    if topic and rng.random() < _ABOUT_SHARE:
        return str(rng.choice(_ABOUT)).format(topic=topic)
    return str(rng.choice(_ANYWHERE))
