"""The size of a simulated world."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Scale:
    """The size of a world. Creators come in addition to readers. A session produces about 25 events.

    `celebrity_followers` is the number of followers from which a creator counts as a celebrity, set so that a few
    creators do. `followed_share` is the average share of creators that a person follows, set so that a feed is full.
    The first feed is shown when `first_photos` are processed. `large_photos` later ones have the size of a camera's
    picture (`painter.LARGE_SHAPES`).
    """

    readers: int
    creators: int
    photos: int
    sessions: int
    days: float
    celebrity_followers: int
    followed_share: float
    slate_length: int = 20
    first_photos: int = 0
    large_photos: int = 0

    @property
    def span(self) -> timedelta:
        """Length of the world's history."""
        return timedelta(days=self.days)

    def large_numbers(self) -> frozenset[int]:
        """The numbers of the large pictures: spread evenly after the first ones."""
        step = max(1, (self.photos - self.first_photos) // max(1, self.large_photos))
        return frozenset(range(self.first_photos, self.photos, step)[: self.large_photos])


DEMO = Scale(
    readers=210,
    creators=40,
    photos=600,
    sessions=1_650,
    days=5,
    celebrity_followers=180,
    followed_share=0.3,
    first_photos=150,
    large_photos=30,
)
SMOKE = Scale(readers=80, creators=12, photos=72, sessions=1_400, days=4, celebrity_followers=76, followed_share=0.7)
