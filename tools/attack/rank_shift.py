"""How far a group of accounts can move a post in the feed of somebody else, by events alone."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, islice
from typing import Any, Protocol

from photofeed.events import MAX_EVENTS

FOLLOWED = "following"
# Everything that raises a post: what is seen, done and said. Each event has an id of its own.
_RAISING: tuple[Mapping[str, Any], ...] = (
    {"type": "impression"},
    {"type": "dwell", "dwellMs": 3_600_000},
    {"type": "open"},
    {"type": "like"},
    {"type": "save"},
    {"type": "share"},
    {"type": "comment"},
    {"type": "profile_visit"},
)


class Caller(Protocol):
    """An account that calls the API over HTTP."""

    @property
    def id(self) -> str:
        """The id of the account."""

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """The reply to a call with the account's token; `json` and `params` are as in httpx."""


def rank_shift(viewer: Caller, attackers: Sequence[Caller], settle: Callable[[], None], events: int = 10_000) -> int:
    """The ranks that the post in the middle of a viewer's candidates moves by the events of some accounts.

    The accounts follow the author, look at their feeds, and send every raising event about the post, with the receipt
    that they were given, if they were. Ranks are by score, among the candidates of both feeds.

    Args:
        viewer: somebody who follows authors with many posts. The viewer may explain the own feed, as in development.
        attackers: accounts that the viewer does not follow.
        settle: waits until all events are counted.
        events: to send in all.

    Raises:
        ValueError: the viewer has no candidates.
    """
    before = _ranking(viewer)
    target = _middle(before)
    for attacker in attackers:
        attacker.call("PUT", f"/v1/users/{target['authorId']}/follow")
    settle()
    for attacker in attackers:
        _attack(attacker, target, events // len(attackers))
    settle()
    after = _ranking(viewer)
    both = {one["postId"] for one in before} & {one["postId"] for one in after}
    ranks = [[one["postId"] for one in ranking if one["postId"] in both] for ranking in (before, after)]
    first, last = (ranking.index(target["postId"]) for ranking in ranks)
    return abs(first - last)


def _ranking(viewer: Caller) -> list[dict[str, Any]]:
    """The candidates of a viewer's feed that were ranked, best first."""
    feed = viewer.call("GET", "/v1/feed", params={"explain": "true"}).json()
    candidates = [one for one in feed["explanation"]["candidates"] if one["score"] is not None]
    return sorted(candidates, key=lambda one: -one["score"])


def _middle(ranking: Sequence[dict[str, Any]]) -> dict[str, Any]:
    followed = [one for one in ranking if one["source"] == FOLLOWED]
    if not followed:
        raise ValueError("the viewer's feed has no posts of followed accounts")
    return followed[len(followed) // 2]


def _attack(attacker: Caller, target: Mapping[str, Any], events: int) -> None:
    served = attacker.call("GET", "/v1/feed", params={"limit": 100}).json()["items"]
    receipt = next((item["receipt"] for item in served if item["post"]["id"] == target["postId"]), None)
    post = {"postId": target["postId"]} | ({"receipt": receipt} if receipt else {})
    about = {"profile_visit": {"personId": target["authorId"]}}
    kinds = cycle(_RAISING)
    for start in range(0, events, MAX_EVENTS):
        batch = [
            {"id": uuid.uuid4().hex, **kind, **about.get(kind["type"], post)}
            for kind in islice(kinds, min(MAX_EVENTS, events - start))
        ]
        attacker.call("POST", "/v1/events", json={"events": batch})
