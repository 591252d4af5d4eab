"""Live sessions: a person requests a feed, views the slate, and the events are sent to the API."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from numpy.random import Generator

from photofeed.action_weights import ENGAGEMENT_ACTIONS
from photofeed.events import Action
from simulation.api_client import ApiClient
from simulation.behaviour import ClientEvent, view_slate
from simulation.errors import BrokenPathError
from simulation.stages import Advance
from simulation.world import World


@dataclass(frozen=True, slots=True)
class Session:
    """One session: the person's index, the number of accepted events, and the number of each action."""

    person: int
    events_accepted: int
    actions: Counter[str]

    @property
    def engagement(self) -> int:
        """Number of likes, comments, saves and shares."""
        return sum(self.actions[action] for action in ENGAGEMENT_ACTIONS)


def live_session(client: ApiClient, world: World, person: int, rng: Generator, *, limit: int = 30) -> Session:
    """One person, by index, views the first page of the feed.

    A simulated session takes milliseconds. Its events are spread over the time that it really took, because the API
    refuses events from the future.

    Raises:
        BrokenPathError: the API refused events of the session.
    """
    user_id = world.people[person]
    feed = client.feed(user_id, limit)
    began = datetime.now(UTC)
    events = view_slate(world.population.people[person], world.perception.of_feed(feed), began, rng)
    if not events:
        return Session(person, 0, Counter())
    reply = client.send_events([{**event, "actorId": user_id} for event in _spread(events, began, datetime.now(UTC))])
    if reply.refused:
        raise BrokenPathError(f"{len(reply.refused)} events of a session were refused, first: {reply.refused[0]}")
    return Session(person, reply.accepted, Counter(str(event["type"]) for event in events))


def live_sessions(
    client: ApiClient, world: World, people: Iterable[int], rng: Generator, advance: Advance
) -> list[Session]:
    """One session per person, in sequence."""
    sessions = []
    for person in people:
        sessions.append(live_session(client, world, person, rng))
        advance(1)
    return sessions


def _spread(events: Sequence[ClientEvent], began: datetime, now: datetime) -> Iterator[ClientEvent]:
    """The events, dated at equal steps between two moments."""
    for number, event in enumerate(events, start=1):
        moment = began + (now - began) * number / len(events)
        yield {**event, "occurredAt": moment.isoformat(timespec="microseconds")}


def summary(sessions: Sequence[Session]) -> str:
    """The totals of some sessions in one line."""
    impressions = sum(session.actions[Action.IMPRESSION] for session in sessions)
    likes = sum(session.actions[Action.LIKE] for session in sessions)
    engagement = sum(session.engagement for session in sessions)
    return f"{len(sessions)} users saw {impressions} posts and engaged {engagement} times, including {likes} likes"
