"""How large a simulated world is."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Scale:
    """Size of a world. Creators are people besides the readers; a session makes about 25 events.

    `celebrity_followers` is from how many followers on a creator counts as a celebrity: a few do. `followed_share` is
    how many of the creators a person follows on average: enough to fill a feed.
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
        """How far back the world's history reaches."""
        return timedelta(days=self.days)


DEMO = Scale(readers=210, creators=40, photos=600, sessions=1_650, days=5, celebrity_followers=180, followed_share=0.3)
SMOKE = Scale(readers=40, creators=12, photos=72, sessions=250, days=4, celebrity_followers=46, followed_share=0.7)
