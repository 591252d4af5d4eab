"""Engagement events as columns: the input of counters, without an object per event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import PoisonError
from photofeed.events import Action
from photofeed.ids import EARLY_MS, EPOCH_MS, RANDOM_BITS
from photofeed.times import MICROSECONDS

ACTIONS = tuple(Action)
_CODES = {action.value: code for code, action in enumerate(ACTIONS)}


@dataclass(frozen=True, slots=True)
class EventColumns:
    """n events, one array of length n per attribute.

    Attributes:
        id: object, the client's own ids.
        action: int8, index in ACTIONS.
        user_id: int64, the person who acted.
        creator_id: int64, the author of the post; for actions on a person, that person.
        post_id: int64, 0 for actions on a person.
        topic_id: int64, 0 for actions on a person.
        content_type: str, empty for actions on a person.
        occurred_us: int64, microseconds since 1970.
        dwell_seconds: float64, 0 for all actions except dwell.
        imported: bool, whether a service back-dated the event.
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
        """The day of each event, (n,): whole days since 1970 UTC."""
        days: NDArray[np.int64] = self.occurred_us // (86_400 * MICROSECONDS)
        return days

    @property
    def joined_us(self) -> NDArray[np.int64]:
        """When the person who acted joined, (n,), microseconds since 1970: ids begin with the time.

        0 for ids of the time before they began (see photofeed.ids): these people are new to no event.
        """
        ms = self.user_id >> RANDOM_BITS
        joined: NDArray[np.int64] = np.where(ms < EARLY_MS, 0, (ms + EPOCH_MS) * (MICROSECONDS // 1000))
        return joined

    def take(self, which: NDArray[Any]) -> Self:
        """The events at these indexes, or where this mask is True."""
        return type(self)(**{field.name: getattr(self, field.name)[which] for field in fields(self)})

    def part(self, start: int, end: int) -> Self:
        """The events with indexes from `start` up to, not including, `end`."""
        return type(self)(**{field.name: getattr(self, field.name)[start:end] for field in fields(self)})

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """The events of all parts, of which there is at least one."""
        return cls(
            **{field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)}
        )

    def distinct(self) -> Self:
        """The first event of each id."""
        first = {name: len(self) - 1 - index for index, name in enumerate(reversed(self.id.tolist()))}
        return self if len(first) == len(self) else self.take(np.sort(np.fromiter(first.values(), np.intp, len(first))))

    def did(self, action: Action) -> NDArray[np.bool_]:
        """Mask of the events of one action, (n,)."""
        matches: NDArray[np.bool_] = self.action == _CODES[action.value]
        return matches

    @classmethod
    def from_payloads(cls, payloads: Sequence[Mapping[str, Any]]) -> Self:
        """The events of `engagement` messages, in order.

        Raises:
            PoisonError: a message lacks a field, or has one of the wrong type.
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
    # exact until the year 2106: the error of a double stays below half a microsecond
    return round(datetime.fromisoformat(moment).timestamp() * MICROSECONDS)
