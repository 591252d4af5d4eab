"""What `make test-upgrade` calls broken."""

from typing import TYPE_CHECKING, cast

from tools.chaos.ledger import BY_MODEL, FeedCall, Ledger
from tools.upgrade.__main__ import Upgrade

if TYPE_CHECKING:
    from tools.chaos.judge import Judge

RELEASED, OURS = "http://127.0.0.1:1", "http://127.0.0.1:2"
MODEL = FeedCall(1.0, 0.1, BY_MODEL, OURS)


class FoundNothing:
    """A judge of a stack in which everything is right."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.violations = ledger, list[str]()

    def compare(self) -> None:
        pass

    def uploads_settled(self) -> int:
        return 0

    def events_logged(self) -> int:
        return 0

    def counters_wrong(self) -> int:
        return 0


def _upgrade(ledger: Ledger, *left: str) -> Upgrade:
    return Upgrade.judged(cast("Judge", FoundNothing(ledger)), RELEASED, left)


def test_a_500_of_the_released_version_is_told_and_one_of_ours_is_broken() -> None:
    told = _upgrade(Ledger(feeds=[MODEL], http500=[(RELEASED, "theirs"), (OURS, "ours")]), "removed.original")
    assert told.released == ["http500\ttheirs", "left\tremoved.original"]
    assert told.broken == ["http500\tours"]
    assert told.figures["http500"] == told.figures["http500OfReleased"] == 1


def test_every_feed_must_be_ranked_by_the_model() -> None:
    assert _upgrade(Ledger(feeds=[MODEL])).broken == []
    feeds = [MODEL, FeedCall(2.0, 0.1, "recency", RELEASED), FeedCall(3.0, 30.0, None)]
    assert _upgrade(Ledger(feeds=feeds)).broken == [
        "feed\tof version 0.1.0 after 0.1 s: recency",
        "feed\tof nobody after 30.0 s: none",
    ]
    assert _upgrade(Ledger()).broken == ["feed\tnone was asked for"]
