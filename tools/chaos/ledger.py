"""What the API accepted: the promises that faults must not break."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

BY_MODEL = "model"  # `ranking` of a feed
COMMENT = "chaos "  # begins the text of every comment


@dataclass(frozen=True, slots=True)
class FeedCall:
    """A request for a feed.

    Attributes:
        ended: time of the answer.
        seconds: that it took.
        ranking: what ranked the feed; None if the answer was no feed.
        url: of the API that answered; empty if none did.
    """

    ended: float
    seconds: float
    ranking: str | None
    url: str = ""

    @property
    def served(self) -> bool:
        """Whether the answer was a feed."""
        return self.ranking is not None


@dataclass(slots=True)
class Ledger:
    """What clients were told. A state is None if the answer to the last change of it was lost.

    Attributes:
        uploads: ids of the photos whose upload was accepted, with the person who has them.
        deleted: ids of the photos whose deletion was accepted.
        events: ids, in the log, of accepted events.
        links: (table, person, target) -> whether the row is there.
        comments: text -> post, of accepted comments; each text is sent for one comment only.
        feeds: requests for feeds.
        event_calls: (time of the answer, whether the batch was accepted).
        http500: calls that were answered by a 500: (URL of the API, the call with its text).
        refused: calls that were refused as if they were wrong, such as by 401, with their texts.
        misunderstood: answers that clients could not use.
    """

    uploads: dict[str, int] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    maybe_deleted: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    links: dict[tuple[str, int, int], bool | None] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    feeds: list[FeedCall] = field(default_factory=list)
    event_calls: list[tuple[float, bool]] = field(default_factory=list)
    http500: list[tuple[str, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    misunderstood: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def changing(self, link: tuple[str, int, int]) -> Iterator[Any]:
        """Change a state: unknown until the block calls what it is given with the new state."""
        with self.lock:
            self.links[link] = None

        def became(*, there: bool) -> None:
            with self.lock:
                self.links[link] = there

        yield became

    def fed(self, began: float, ranking: str | None, url: str = "") -> None:
        """Note the answer to a request for a feed: what ranked it, or None if it was no feed."""
        now = time.monotonic()
        with self.lock:
            self.feeds.append(FeedCall(now, now - began, ranking, url))

    @property
    def feeds_by_model(self) -> int:
        """How many feeds the model ranked."""
        return sum(feed.ranking == BY_MODEL for feed in self.feeds)

    def reported(self, *, accepted: bool) -> None:
        """Note the answer to a batch of events."""
        with self.lock:
            self.event_calls.append((time.monotonic(), accepted))

    def recovery(self, back: float) -> float:
        """Seconds from a moment until the next batch of events was accepted; 0 if none was refused from then on."""
        with self.lock:
            calls = [(moment, accepted) for moment, accepted in self.event_calls if moment >= back]
        for moment, accepted in calls:
            if accepted:
                return 0.0 if calls[0][1] else moment - back
        return float("inf") if calls else 0.0
