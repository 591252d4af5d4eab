"""Behaviour model: which posts of a slate a person sees, how long they look, and which actions they take.

The person scrolls from the top. After each post, `patience` is the probability of scrolling on. Each post shown is
examined with a probability that falls with its position (position bias). The probability of each action on an examined
post grows with the post's utility to the person. A post that is not examined produces an impression only, as in the
logs of a real feed.
"""

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import numpy as np
from numpy.random import Generator

from photofeed.arrays import FloatArray
from photofeed.events import Action
from simulation.comments import draw_comment
from simulation.people import Person

ClientEvent: TypeAlias = dict[str, str | int]

MOOD = 0.45  # standard deviation of the part of utility that no ranker can predict
POSITION_BIAS = 0.25  # a post at position k is examined with probability (1 + k) ** -POSITION_BIAS
FRESHNESS, FRESHNESS_HALF_LIFE_HOURS = 1.1, 24.0
AVERAGE_FRESHNESS = 0.4  # subtracted, so that a post of typical age has no freshness bonus
REPEATED_AUTHOR_PENALTY = 0.2  # utility lost for each post of the same author higher up in the slate
DWELL_SECONDS, SHORTEST_DWELL_MS = 1.6, 300

FOLLOWING, EXPLORE = "following", "explore"  # sources of a post in a feed, as the API names them

# logit of each action = intercept + slope * utility (+ the person's own tendency)
OPEN, LIKE, SAVE, COMMENT, SHARE = (-1.7, 1.1), (-2.5, 1.6), (-4.5, 1.4), (-5.2, 1.4), (-5.4, 1.3)
VISIT, FOLLOW, HIDE = (-3.8, 0.9), (-1.8, 1.0), (-4.7, -1.3)


@dataclass(frozen=True, slots=True)
class PostView:
    """A post as one person sees it.

    `creator` and `topic` index the person's tastes and are None if the person has no taste for them. `appeal` is the
    part of the utility that is the same for everybody. `brightness` is 0..1, `aspect` is width / height.
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
    source: str = FOLLOWING
    liked: bool = False
    saved: bool = False
    followed: bool = False
    receipt: str = ""  # of an item that the API served


@dataclass(frozen=True, slots=True)
class Slate:
    """Posts in the order shown, with the slate's id."""

    id: str
    posts: Sequence[PostView]


def utilities(person: Person, posts: Sequence[PostView], at: datetime) -> FloatArray:
    """The expected utility of each post to the person, (posts,): what an ideal ranker would sort by."""
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
    """The events that a client reports while the person views the slate, in order of time, positions from 0.

    The sender adds the `actorId`. The same generator state gives the same events.
    """
    worth = utilities(person, slate.posts, started_at) + rng.normal(0, MOOD, len(slate.posts))
    now, events = started_at, list[ClientEvent]()
    visited: set[str] = set()
    shown = Counter[str]()
    for position, (post, utility) in enumerate(zip(slate.posts, worth, strict=True)):
        view = _ViewRecorder(slate.id, position, post, now, rng)
        view.report(Action.IMPRESSION, 0)
        if rng.random() < (1 + position) ** -POSITION_BIAS:
            _examine(person, view, float(utility) - REPEATED_AUTHOR_PENALTY * shown[post.author_id], visited)
        shown[post.author_id] += 1
        events += view.events
        now = view.now + timedelta(milliseconds=int(rng.integers(250, 900)))
        if rng.random() > person.patience:
            break
    return events


class _ViewRecorder:
    """One person's view of one post: a clock, and the events reported so far."""

    def __init__(self, slate_id: str, position: int, post: PostView, now: datetime, rng: Generator) -> None:
        self.post = post
        self.now = now
        self.rng = rng
        self.events: list[ClientEvent] = []
        self._slate_id = slate_id
        self._position = position

    def report(self, action: Action, after_ms: int, **fields: str | int) -> None:
        self.now += timedelta(milliseconds=after_ms)
        subject = {} if "personId" in fields else {"postId": self.post.id}
        if subject and self.post.receipt:
            subject["receipt"] = self.post.receipt
        self.events.append(
            {
                "id": event_id(self.now, self.rng),
                "type": action.value,
                "occurredAt": self.now.isoformat(timespec="milliseconds"),
                "slateId": self._slate_id,
                "position": self._position,
                "source": self.post.source,
                **subject,
                **fields,
            }
        )

    def chance(self, curve: tuple[float, float], utility: float, tendency: float = 0.0) -> bool:
        intercept, slope = curve
        return bool(self.rng.random() < 1 / (1 + np.exp(-(intercept + slope * utility + tendency))))


def _examine(person: Person, view: _ViewRecorder, utility: float, visited: set[str]) -> None:
    rng, post = view.rng, view.post
    attention = 1.8 if post.is_reel else 1.0
    dwell_ms = int(1000 * DWELL_SECONDS * attention * np.exp(0.55 * utility + rng.normal(0, 0.35)))
    dwell_ms = min(max(dwell_ms, SHORTEST_DWELL_MS), 60_000)
    view.report(Action.DWELL, dwell_ms, dwellMs=dwell_ms)
    if view.chance(OPEN, utility):
        view.report(Action.OPEN, 150)
        utility += 0.2  # a person who opened a post is more likely to act on it
    if view.chance(LIKE, utility) and not post.liked:
        view.report(Action.LIKE, 400)
    if view.chance(SAVE, utility, person.saving) and not post.saved:
        view.report(Action.SAVE, 600)
    if view.chance(COMMENT, utility, person.sociability):
        view.report(Action.COMMENT, int(rng.integers(4_000, 20_000)), text=draw_comment(post.topic_name, rng))
    if view.chance(SHARE, utility, person.sociability):
        view.report(Action.SHARE, 2_500)
    if view.chance(VISIT, utility) and post.author_id not in visited:
        visited.add(post.author_id)
        view.report(Action.PROFILE_VISIT, 1_200, personId=post.author_id)
        if not post.followed and view.chance(FOLLOW, utility):
            view.report(Action.FOLLOW, 2_000, personId=post.author_id)
    if view.chance(HIDE, utility):
        view.report(Action.HIDE, 700)


def event_id(moment: datetime, rng: Generator) -> str:
    """A UUID version 7 (RFC 9562) of `moment` with random bits from `rng`: a replayed session sends the same ids."""
    stamp = int(moment.astimezone(UTC).timestamp() * 1000)
    value = (stamp << 80) | (7 << 76) | int.from_bytes(rng.bytes(10)) & ((1 << 76) - 1)
    return str(uuid.UUID(int=(value & ~(0b11 << 62)) | (0b10 << 62)))
