"""The history of a world: sessions of its people, on unranked slates drawn from the posts that existed at the time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from photofeed.events import Action
from simulation.behaviour import EXPLORE, FOLLOWING, ClientEvent, PostView, Slate, event_id, view_slate
from simulation.people import Population
from simulation.scale import Scale

EXPLORE_SHARE = 0.3  # share of a slate that comes from creators the person does not follow
RECENT = timedelta(days=2)
# The first session starts once there are posts, the last one ends before the history does.
FIRST_SESSION, LAST_SESSION = timedelta(hours=8), timedelta(minutes=15)


@dataclass(slots=True)
class _Memory:
    """Post indices that each person has seen, liked and saved, and the follow matrix (people, creators)."""

    seen: list[set[int]]
    liked: list[set[int]]
    saved: list[set[int]]
    follows: NDArray[np.bool_]


class History:
    """Simulates all sessions of a world's past.

    Args:
        population: all people.
        people: user ids by index of the person.
        posts: all posts, without any person's own state (liked, saved, followed).
        follows: (follower, followee) pairs at the start.
    """

    def __init__(
        self,
        population: Population,
        people: dict[int, str],
        posts: Sequence[PostView],
        follows: Sequence[tuple[int, int]],
    ) -> None:
        self._population = population
        self._people = people
        self._posts = posts
        self._posted = np.array([post.posted_at.timestamp() for post in posts])
        self._author = np.array([-1 if post.creator is None else post.creator for post in posts])
        self._index_of = {post.id: index for index, post in enumerate(posts)}
        self._creator_of = {people[index]: index for index in range(len(population.creators))}
        everybody = len(population.people)
        self._memory = _Memory(
            seen=[set() for _ in range(everybody)],
            liked=[set() for _ in range(everybody)],
            saved=[set() for _ in range(everybody)],
            follows=np.zeros((everybody, len(population.creators)), dtype=np.bool_),
        )
        for follower, followee in follows:
            if followee < len(population.creators):
                self._memory.follows[follower, followee] = True

    def events(self, scale: Scale, anchor: datetime, seed: int) -> list[ClientEvent]:
        """All events until `anchor`, each with its `actorId`, in order of time across people."""
        events: list[ClientEvent] = []
        for number, (person, moment) in enumerate(self._session_starts(scale, anchor, seed)):
            rng = np.random.default_rng([seed, 6, number])
            slate = self._compose(person, moment, scale.slate_length, rng)
            session = view_slate(self._population.people[person], slate, moment, rng)
            self._remember(person, session)
            events += ({**event, "actorId": self._people[person]} for event in session)
        return sorted(events, key=lambda event: str(event["occurredAt"]))

    def _session_starts(self, scale: Scale, anchor: datetime, seed: int) -> Iterator[tuple[int, datetime]]:
        rng = np.random.default_rng([seed, 7])
        people = self._population.people
        weights = np.array([person.sessions_weight for person in people])
        first, last = anchor - scale.span + FIRST_SESSION, anchor - LAST_SESSION
        starts = []
        for person in rng.choice(len(people), scale.sessions, p=weights / weights.sum()):
            day = first + float(rng.random()) * (last - first)
            hour = people[person].favourite_hour + float(rng.normal(0, 1.5))
            moment = day.replace(hour=0, minute=0) + timedelta(hours=hour % 24)
            starts.append((moment if first <= moment <= last else day, int(person)))
        for moment, person in sorted(starts):
            yield person, moment

    def _compose(self, person: int, moment: datetime, length: int, rng: Generator) -> Slate:
        now = moment.timestamp()
        exists = (self._posted < now) & (self._author != person)
        followed = np.append(self._memory.follows[person], False)[self._author]  # unknown author: -1, the last element
        recent = exists & followed & (self._posted > now - RECENT.total_seconds())
        others = exists & ~followed
        fresh = np.ones(len(self._posts), dtype=np.bool_)
        fresh[list(self._memory.seen[person])] = False

        from_others = _draw(others, fresh, round(length * EXPLORE_SHARE), rng)
        from_followed = _draw(recent, fresh, length - len(from_others), rng)
        slate = rng.permutation([*from_followed, *from_others])  # random order: no ranker exists yet
        posts = [self._as_seen_by(person, int(index)) for index in slate]
        return Slate(event_id(moment, rng), posts)

    def _as_seen_by(self, person: int, index: int) -> PostView:
        post, memory = self._posts[index], self._memory
        followed = post.creator is not None and bool(memory.follows[person, post.creator])
        return replace(
            post,
            source=FOLLOWING if followed else EXPLORE,
            liked=index in memory.liked[person],
            saved=index in memory.saved[person],
            followed=followed,
        )

    def _remember(self, person: int, events: Sequence[ClientEvent]) -> None:
        memory = self._memory
        sets = {Action.IMPRESSION: memory.seen, Action.LIKE: memory.liked, Action.SAVE: memory.saved}
        for event in events:
            if event["type"] in sets:
                sets[Action(event["type"])][person].add(self._index_of[str(event["postId"])])
            elif event["type"] == Action.FOLLOW:
                memory.follows[person, self._creator_of[str(event["personId"])]] = True


def _draw(among: NDArray[np.bool_], fresh: NDArray[np.bool_], count: int, rng: Generator) -> list[int]:
    """Indices of at most `count` posts of the mask `among`, in random order, unseen posts first."""
    unseen, seen = np.flatnonzero(among & fresh), np.flatnonzero(among & ~fresh)
    return [int(index) for index in (*rng.permutation(unseen), *rng.permutation(seen))[:count]]
