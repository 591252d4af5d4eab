"""How a person goes through a slate: what they see, how long they look, and what they do.

The person scrolls down, after each post with their patience as the chance to go on; of what passes they examine less
the further down it stands (position bias), and act on what they examine by its utility to them. What was not examined
leaves an impression and nothing else, as in the logs of a real feed.
"""

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import numpy as np
from numpy.random import Generator

from photofeed.events import Action
from simulation.comments import draw_comment
from simulation.people import Floats, Person

ClientEvent: TypeAlias = dict[str, str | int]

MOOD = 0.45  # standard deviation of what no ranker can know
POSITION_BIAS = 0.25  # a post at position k is examined with probability (1 + k) ** -POSITION_BIAS
FRESHNESS, FRESHNESS_HALF_LIFE_HOURS = 1.1, 24.0
AVERAGE_FRESHNESS = 0.4  # tastes are about a post as old as most
TIRED_OF_AUTHOR = 0.2  # utility lost for each post of the same author higher up in the slate
DWELL_SECONDS, SHORTEST_DWELL_MS = 1.6, 300

# logit of each action = intercept + slope * utility (+ what the person tends to)
OPEN, LIKE, SAVE, COMMENT, SHARE = (-1.7, 1.1), (-2.5, 1.6), (-4.5, 1.4), (-5.2, 1.4), (-5.4, 1.3)
VISIT, FOLLOW, HIDE = (-3.8, 0.9), (-1.8, 1.0), (-4.7, -1.3)


@dataclass(frozen=True, slots=True)
class SeenPost:
    """A post as one person meets it. `creator` and `topic` index the person's tastes, None for those unknown to them.

    `appeal` is what everybody sees in it, `brightness` 0..1, `aspect` width / height.
    """

    id: str
    author_id: str
    creator: int | None
    topic: int | None
    topic_name: str
    appeal: float
    is_reel: bool
    brightness: float
    aspect: float
    posted_at: datetime
    source: str = "following"
    liked: bool = False
    saved: bool = False
    followed: bool = False


@dataclass(frozen=True, slots=True)
class Slate:
    """Posts in the order they are shown, under one id."""

    id: str
    posts: Sequence[SeenPost]


def utilities(person: Person, posts: Sequence[SeenPost], at: datetime) -> Floats:
    """What each post is worth to the person before the mood of the moment, (posts,): the truth a ranker looks for."""
    age_hours = np.array([max((at - post.posted_at).total_seconds(), 0.0) / 3600 for post in posts])
    taste = np.array(
        [
            (0.0 if post.topic is None else person.topic_taste[post.topic])
            + (0.0 if post.creator is None else person.creator_taste[post.creator])
            + post.appeal
            + person.reel_taste * post.is_reel
            + person.brightness_taste * (2 * post.brightness - 1)
            + person.width_taste * np.log(post.aspect)
            for post in posts
        ],
        dtype=np.float64,
    )
    return taste + FRESHNESS * (np.exp2(-age_hours / FRESHNESS_HALF_LIFE_HOURS) - AVERAGE_FRESHNESS)


def view_slate(person: Person, slate: Slate, started_at: datetime, rng: Generator) -> list[ClientEvent]:
    """The events a client reports while the person looks at the slate, in order of time, positions from 0.

    Events carry no `actorId`: whoever sends them knows for whom. The same generator state gives the same events.
    """
    worth = utilities(person, slate.posts, started_at) + rng.normal(0, MOOD, len(slate.posts))
    now, events = started_at, list[ClientEvent]()
    visited: set[str] = set()
    shown = Counter[str]()
    for position, (post, utility) in enumerate(zip(slate.posts, worth, strict=True)):
        seen = _Viewing(slate.id, position, post, now, rng)
        seen.report(Action.IMPRESSION, 0)
        if rng.random() < (1 + position) ** -POSITION_BIAS:
            _examine(person, seen, float(utility) - TIRED_OF_AUTHOR * shown[post.author_id], visited)
        shown[post.author_id] += 1
        events += seen.events
        now = seen.now + timedelta(milliseconds=int(rng.integers(250, 900)))
        if rng.random() > person.patience:
            break
    return events


class _Viewing:
    """One post in front of one person: a clock and what is reported."""

    def __init__(self, slate_id: str, position: int, post: SeenPost, now: datetime, rng: Generator) -> None:
        self.post = post
        self.now = now
        self.rng = rng
        self.events: list[ClientEvent] = []
        self._slate_id = slate_id
        self._position = position

    def report(self, action: Action, after_ms: int, **more: str | int) -> None:
        self.now += timedelta(milliseconds=after_ms)
        subject = {} if "personId" in more else {"postId": self.post.id}
        self.events.append(
            {
                "id": event_id(self.now, self.rng),
                "type": action.value,
                "occurredAt": self.now.isoformat(timespec="milliseconds"),
                "slateId": self._slate_id,
                "position": self._position,
                "source": self.post.source,
                **subject,
                **more,
            }
        )

    def chance(self, curve: tuple[float, float], utility: float, tendency: float = 0.0) -> bool:
        intercept, slope = curve
        return bool(self.rng.random() < 1 / (1 + np.exp(-(intercept + slope * utility + tendency))))


def _examine(person: Person, seen: _Viewing, utility: float, visited: set[str]) -> None:
    rng, post = seen.rng, seen.post
    attention = 1.8 if post.is_reel else 1.0
    dwell_ms = int(1000 * DWELL_SECONDS * attention * np.exp(0.55 * utility + rng.normal(0, 0.35)))
    dwell_ms = min(max(dwell_ms, SHORTEST_DWELL_MS), 60_000)
    seen.report(Action.DWELL, dwell_ms, dwellMs=dwell_ms)
    if seen.chance(OPEN, utility):
        seen.report(Action.OPEN, 150)
        utility += 0.2  # opening is the first step of everything that follows
    if seen.chance(LIKE, utility) and not post.liked:
        seen.report(Action.LIKE, 400)
    if seen.chance(SAVE, utility, person.thrift) and not post.saved:
        seen.report(Action.SAVE, 600)
    if seen.chance(COMMENT, utility, person.sociability):
        seen.report(Action.COMMENT, int(rng.integers(4_000, 20_000)), text=draw_comment(post.topic_name, rng))
    if seen.chance(SHARE, utility, person.sociability):
        seen.report(Action.SHARE, 2_500)
    if seen.chance(VISIT, utility) and post.author_id not in visited:
        visited.add(post.author_id)
        seen.report(Action.PROFILE_VISIT, 1_200, personId=post.author_id)
        if not post.followed and seen.chance(FOLLOW, utility):
            seen.report(Action.FOLLOW, 2_000, personId=post.author_id)
    if seen.chance(HIDE, utility):
        seen.report(Action.HIDE, 700)


def event_id(moment: datetime, rng: Generator) -> str:
    """A UUID version 7 (RFC 9562) of `moment` with bits from `rng`: a session replayed sends the same ids."""
    stamp = int(moment.astimezone(UTC).timestamp() * 1000)
    value = (stamp << 80) | (7 << 76) | int.from_bytes(rng.bytes(10)) & ((1 << 76) - 1)
    return str(uuid.UUID(int=(value & ~(0b11 << 62)) | (0b10 << 62)))
