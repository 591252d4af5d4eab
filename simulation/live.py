"""Live sessions: people open their feed, look at the slate, and what they do goes back to the API."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from numpy.random import Generator

from photofeed.events import Action
from simulation.api_client import ApiClient
from simulation.behaviour import ClientEvent, Slate, view_slate
from simulation.errors import BrokenPathError
from simulation.replies import Feed
from simulation.stages import Advance
from simulation.world import World

ENGAGED = (Action.LIKE, Action.COMMENT, Action.SAVE, Action.SHARE)


@dataclass(frozen=True, slots=True)
class Session:
    """One session: whose, the feed it had, the events that counted, and what the person did by action."""

    person: int
    feed: Feed
    events_accepted: int
    actions: Counter[str]

    @property
    def engagement(self) -> int:
        """Likes, comments, saves and shares."""
        return sum(self.actions[action] for action in ENGAGED)


def live_session(client: ApiClient, world: World, person: int, rng: Generator, *, limit: int = 30) -> Session:
    """One person, by index, opens the feed and goes through its first page.

    They read at the machine's speed: their events are dated into the time the session really took.

    Raises:
        BrokenPathError: events of the session were refused.
    """
    user_id = world.people[person]
    feed = client.feed(user_id, limit)
    began = datetime.now(UTC)
    slate = Slate(feed.slate_id, [world.perception.of_feed_item(item) for item in feed.items])
    events = view_slate(world.population.people[person], slate, began, rng)
    if not events:
        return Session(person, feed, 0, Counter())
    reply = client.send_events([{**event, "actorId": user_id} for event in _in_time(events, began, datetime.now(UTC))])
    if reply.refused:
        raise BrokenPathError(f"{len(reply.refused)} events of a session were refused, first: {reply.refused[0]}")
    return Session(person, feed, reply.accepted, Counter(str(event["type"]) for event in events))


def live_sessions(
    client: ApiClient, world: World, people: Iterable[int], rng: Generator, advance: Advance
) -> list[Session]:
    """A session of each of these people, one after the other."""
    sessions = []
    for person in people:
        sessions.append(live_session(client, world, person, rng))
        advance(1)
    return sessions


def _in_time(events: Sequence[ClientEvent], began: datetime, now: datetime) -> Iterator[ClientEvent]:
    """The events at equal steps between two moments: the API takes nothing from the future."""
    for number, event in enumerate(events, start=1):
        moment = began + (now - began) * number / len(events)
        yield {**event, "occurredAt": moment.isoformat(timespec="microseconds")}


def summary(sessions: Sequence[Session]) -> str:
    """What came of some sessions, in one line."""
    seen = sum(session.actions[Action.IMPRESSION] for session in sessions)
    liked = sum(session.actions[Action.LIKE] for session in sessions)
    engaged = sum(session.engagement for session in sessions)
    return f"{len(sessions)} people saw {seen} posts and engaged with them {engaged} times, {liked} of them likes"
