"""Engagement events as columns: what counters are computed from, without an object per event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import PoisonError
from photofeed.events import Action

ACTIONS = tuple(Action)
MICROSECONDS = 1_000_000
_CODES = {action.value: code for code, action in enumerate(ACTIONS)}


@dataclass(frozen=True, slots=True)
class EventColumns:
    """n events, one array of length n for each of their facts.

    Attributes:
        id: object, the client's own ids.
        action: int8, places in ACTIONS.
        user_id: int64, who did it.
        creator_id: int64, whose post it was or, for actions on a person, that person.
        post_id: int64, 0 for actions on a person.
        topic_id: int64, likewise.
        content_type: str, empty likewise.
        occurred_us: int64, microseconds since 1970.
        dwell_seconds: float64, 0 for all actions but dwell.
        imported: bool, whether a service dated the event back.
    """

    id: NDArray[np.object_]
    action: NDArray[np.int8]
    user_id: NDArray[np.int64]
    creator_id: NDArray[np.int64]
    post_id: NDArray[np.int64]
    topic_id: NDArray[np.int64]
    content_type: NDArray[np.str_]
    occurred_us: NDArray[np.int64]
    dwell_seconds: NDArray[np.float64]
    imported: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.action)

    @property
    def day(self) -> NDArray[np.int64]:
        """Days since 1970 on which they occurred, (n,)."""
        days: NDArray[np.int64] = self.occurred_us // (86_400 * MICROSECONDS)
        return days

    def take(self, which: NDArray[Any]) -> Self:
        """The events at these places, or where this mask is True."""
        return type(self)(**{field.name: getattr(self, field.name)[which] for field in fields(self)})

    def part(self, start: int, end: int) -> Self:
        """The events from one place to another."""
        return type(self)(**{field.name: getattr(self, field.name)[start:end] for field in fields(self)})

    def distinct(self) -> Self:
        """Each id once, the first of each kept."""
        first = {name: len(self) - 1 - place for place, name in enumerate(reversed(self.id.tolist()))}
        return self if len(first) == len(self) else self.take(np.sort(np.fromiter(first.values(), np.intp, len(first))))

    def did(self, action: Action) -> NDArray[np.bool_]:
        """Which of the events are of one kind."""
        matches: NDArray[np.bool_] = self.action == _CODES[action.value]
        return matches

    @classmethod
    def from_payloads(cls, payloads: Sequence[Mapping[str, Any]]) -> Self:
        """The events of `engagement` messages, in order.

        Raises:
            PoisonError: in one of them a field is missing or of the wrong kind.
        """
        try:
            return cls(
                id=np.array([str(each["id"]) for each in payloads], np.object_),
                action=np.array([_CODES[each["action"]] for each in payloads], np.int8),
                user_id=np.array([each["userId"] for each in payloads], np.int64),
                creator_id=np.array([each["creatorId"] for each in payloads], np.int64),
                post_id=np.array([each.get("postId") or 0 for each in payloads], np.int64),
                topic_id=np.array([each.get("topicId") or 0 for each in payloads], np.int64),
                content_type=np.array([each.get("contentType") or "" for each in payloads], np.str_),
                occurred_us=np.array([_microseconds(each["occurredAt"]) for each in payloads], np.int64),
                dwell_seconds=np.array([each.get("dwellMs") or 0 for each in payloads], np.float64) / 1000,
                imported=np.array([bool(each.get("imported")) for each in payloads], np.bool_),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise PoisonError(f"not an engagement event: {error!r}") from error


def _microseconds(moment: str) -> int:
    # a double holds the microseconds of our centuries exactly
    return round(datetime.fromisoformat(moment).timestamp() * MICROSECONDS)
