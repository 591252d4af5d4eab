"""The size of a simulated world."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Scale:
    """The size of a world. Creators come in addition to readers. A session produces about 25 events.

    `celebrity_followers` is the number of followers from which a creator counts as a celebrity, set so that a few
    creators do. `followed_share` is the average share of creators that a person follows, set so that a feed is full.
    """

    readers: int
    creators: int
    photos: int
    sessions: int
    days: float
    celebrity_followers: int
    followed_share: float
    slate_length: int = 20

    @property
    def span(self) -> timedelta:
        """Length of the world's history."""
        return timedelta(days=self.days)


DEMO = Scale(readers=210, creators=40, photos=600, sessions=1_650, days=5, celebrity_followers=180, followed_share=0.3)
SMOKE = Scale(readers=80, creators=12, photos=72, sessions=700, days=4, celebrity_followers=76, followed_share=0.7)
