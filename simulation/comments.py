"""Comments that the simulated users write."""

from numpy.random import Generator

_GENERIC = (
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
_ABOUT_TOPIC = ("Your {topic} pictures are the reason I follow you.", "Best {topic} shot I have seen this week.")

_ABOUT_TOPIC_SHARE = 0.25


def draw_comment(topic: str, rng: Generator) -> str:
    """A short comment, sometimes about the topic."""
    if topic and rng.random() < _ABOUT_TOPIC_SHARE:
        return str(rng.choice(_ABOUT_TOPIC)).format(topic=topic)
    return str(rng.choice(_GENERIC))
