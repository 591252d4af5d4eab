"""A log of engagement for tests, and the counters that it must lead to, by brute force."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from photofeed.action_weights import UNDONE_BY
from photofeed.events import PERSON_ACTIONS, Action, EngagementEvent, Envelope, engagement_envelope
from photofeed.feature_store import load_counter_views
from photofeed.features.counters import CounterView
from photofeed.online_store.feast_schema import row_schema
from photofeed.online_store.reader import PackedReader
from photofeed.redis_client import RedisClient
from photofeed.topics import ENGAGEMENT
from tests.doubles.event_log import InMemoryEventLog

EVENTS, EVENTS_A_MESSAGE = 100_000, 10
UNDOES = {undo.value: action.value for action, undo in UNDONE_BY.items()}
EPOCH, WEEK = datetime(1970, 1, 1, tzinfo=UTC), timedelta(days=7)
LATE_SECONDS = 2 * 86_400  # the oldest events that the API accepts


def event_log(first_id: int, count: int = EVENTS, repeated: float = 0.2) -> InMemoryEventLog:
    """Distinct events of the last two days in any order, some of the messages twice, in a log of 4 partitions."""
    rng = np.random.default_rng(11)
    now = datetime.now(UTC).timestamp()
    # most arrive in the order in which they occur; a tenth is late
    late = np.where(rng.random(count) < 0.1, rng.random(count) * LATE_SECONDS, rng.random(count))
    moments = np.linspace(now - 3600, now, count) - late
    actions = rng.choice(len(Action), count)
    posts = rng.zipf(1.3, count) % 500 + first_id
    users = np.repeat(rng.integers(0, 300, count // EVENTS_A_MESSAGE), EVENTS_A_MESSAGE) + first_id
    kinds = list(Action)
    events = [
        EngagementEvent(
            id=f"{first_id}-{place}",
            action=kinds[action],
            user_id=int(user),
            creator_id=first_id + int(post) % 40,
            occurred_at=datetime.fromtimestamp(moment, UTC),
            post_id=None if kinds[action] in PERSON_ACTIONS else int(post),
            topic_id=None if kinds[action] in PERSON_ACTIONS else first_id + 1,
            content_type=("photo", "reel")[int(post) % 2],
            dwell_ms=int(post) % 90_000 if kinds[action] is Action.DWELL else None,
        )
        for place, (action, user, post, moment) in enumerate(zip(actions, users, posts, moments, strict=True))
    ]
    messages = [
        engagement_envelope(events[start].user_id, events[start : start + EVENTS_A_MESSAGE])
        for start in range(0, count, EVENTS_A_MESSAGE)
    ]
    again = [messages[place] for place in rng.integers(0, len(messages), int(len(messages) * repeated))]
    log = InMemoryEventLog()
    log.publish(ENGAGEMENT.name, [*messages, *again])
    return log


def distinct_events(log: InMemoryEventLog) -> list[dict[str, Any]]:
    found = {}
    for message in log.read(ENGAGEMENT.name):
        for event in Envelope.decode(message.value).payload["events"]:
            found[event["id"]] = event
    return list(found.values())


def _counting(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events that count: of each person, post and action the first of a week or, for dwell, the longest."""
    slots: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    undone: dict[tuple[Any, ...], list[datetime]] = defaultdict(list)
    counting = []
    for event in events:
        moment, action = datetime.fromisoformat(event["occurredAt"]), event["action"]
        of: tuple[Any, ...] = (event["userId"], event.get("postId") or event["creatorId"])
        if action in ("follow", "unfollow", "mute", "unmute"):
            counting.append(event)
        elif action in UNDOES:
            undone[*of, UNDOES[action]].append(moment)
        else:
            slots[*of, action, (moment - EPOCH) // WEEK].append(event | {"moment": moment})
    for slot, same in slots.items():
        begin = EPOCH + slot[-1] * WEEK
        undos = [one for one in undone[slot[:-1]] if begin <= one < begin + 2 * WEEK]
        if not undos or max(undos) < max(one["moment"] for one in same):
            counting.append(min(same, key=lambda one: (-min(one.get("dwellMs", 0), 60_000), one["moment"])))
    return counting


def _brute_force(
    events: list[dict[str, Any]], view: CounterView, tags: dict[str, str], at_us: dict[tuple[int, ...], int]
) -> dict[tuple[int, ...], list[float]]:
    """The counters of each entity at its time: each event added by itself, by the declarations."""
    sums: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [0.0] * len(view.counters))
    declared = [
        (place, term.split("=")[0], term.split("=")[1], counter.half_life_seconds)
        for place, counter in enumerate(view.counters)
        for term in tags[counter.name].split()
    ]
    terms: dict[tuple[str, str], list[tuple[int, bool, str, float]]] = {}
    for event in events:
        what = (event["action"], event["contentType"])
        if what not in terms:
            names = {"any", what[0], "@".join(what)}
            terms[what] = [
                (place, name.startswith("reverse:"), weight, half_life)
                for place, name, weight, half_life in declared
                if name.removeprefix("reverse:") in names
            ]
        moment = datetime.fromisoformat(event["occurredAt"]).timestamp()
        ids = {"user_id": event["userId"], "creator_id": event["creatorId"]}
        ids |= {"post_id": event.get("postId"), "topic_id": event.get("topicId")}
        reversed_ids = ids | {"user_id": ids["creator_id"], "creator_id": ids["user_id"]}
        for place, is_reverse, weight, half_life in terms[what]:
            keys = tuple((reversed_ids if is_reverse else ids)[key] for key in view.join_keys)
            if keys not in at_us:
                continue
            amount = min(event.get("dwellMs", 0) / 1000, 60.0) if weight == "seconds" else float(weight)
            sums[keys][place] += amount * 0.5 ** ((at_us[keys] / 1e6 - moment) / half_life)
    return sums


def _entities(events: list[dict[str, Any]], view: CounterView) -> dict[str, np.ndarray[Any, Any]]:
    """All entities that may have a row, pairs in both directions."""
    ids = {"user_id": "userId", "creator_id": "creatorId", "post_id": "postId", "topic_id": "topicId"}
    rows = {tuple(event.get(ids[key], 0) for key in view.join_keys) for event in events}
    if view.has_reverse:
        rows |= {tuple(reversed(row)) for row in rows}
    return dict(zip(view.join_keys, np.array(sorted(rows)).T, strict=True))


def check_counters(store: Any, client: RedisClient, events: list[dict[str, Any]]) -> int:
    """Compare every counter of every entity; returns the number of values."""
    compared = 0
    for view in load_counter_views(store):
        registered = store.get_feature_view(view.name)
        entities = _entities(events, view)
        read = PackedReader([row_schema(registered, store.project)], client=client).read(entities)[view.name]
        keys = list(zip(*(column.tolist() for column in entities.values()), strict=True))
        at_us = {key: moment for key, moment in zip(keys, read.values["as_of"].tolist(), strict=True) if moment}
        expected = _brute_force(
            _counting(events), view, {f.name: f.tags.get("counts", "") for f in registered.features}, at_us
        )
        assert set(expected) <= {key for key, found in zip(keys, read.found, strict=True) if found}
        stored = np.stack([read.values[counter.name] for counter in view.counters], axis=1)[read.found]
        nothing = [0.0] * len(view.counters)  # of an entity whose events were taken back
        brute = np.array([expected.get(key, nothing) for key, found in zip(keys, read.found, strict=True) if found])
        np.testing.assert_allclose(stored, brute, rtol=1e-6, atol=1e-6)
        compared += stored.size
    return compared
