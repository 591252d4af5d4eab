"""A backup that is made while people read, like, upload and delete; and what must be true of it afterwards.

1. Everything that was acknowledged before `photofeed backup` began is there, as it was.
2. Nothing refers to what is not there: no event of the log or the lake is about a post or a person that PostgreSQL does
   not know, no post lacks an image, and no object is left over.
3. Counters are those of the restored log, by the function that counts.
4. `photofeed verify` finds no disagreement.
"""

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ingestion.verify.features import LakeEvents
from photofeed import database
from photofeed.features.event_columns import EventColumns
from photofeed.ids import encode_id
from photofeed.offline_store.lake import open_lake
from photofeed.settings import Settings
from tools.chaos.judge import Judge, LogEvents
from tools.chaos.ledger import Ledger
from tools.chaos.load import Load

_BEFORE_SECONDS, _WARM_SECONDS = 20.0, 5.0
_CLIENTS = 2  # a backup has to be done on two cores beside them
_KNOWN = {
    "post": "select id from posts union all select photo_id from removed_photos",
    "person": "select id from users",
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A photofeed under load."""

    settings: Settings
    command: Callable[..., subprocess.CompletedProcess[str]]

    @property
    def urls(self) -> tuple[str, ...]:
        """Where its API answers."""
        return (self.settings.public_url,)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a `photofeed` command on it."""
        return self.command(*arguments)


def under_load(target: Loaded, back_up: Callable[[], None]) -> Ledger:
    """Make a backup while clients act. The ledger says what was acknowledged before it began."""
    before = _load(target, Ledger(), 1)
    time.sleep(_BEFORE_SECONDS)
    before.end()
    meanwhile = _load(target, Ledger(), 2)  # other people, so what the first ones did stays as it was
    try:
        time.sleep(_WARM_SECONDS)
        back_up()
    finally:
        meanwhile.end()
    return before.ledger


def _load(target: Loaded, ledger: Ledger, seed: int) -> Load:
    load = Load(target, ledger, seed, clients=_CLIENTS)
    load.begin()
    return load


def dangling(settings: Settings) -> Iterator[str]:
    """Events of the log and of the lake that are about posts or people whom PostgreSQL does not know."""
    with database.connect(settings) as connection:
        known = {
            kind: {row["id"] for row in connection.execute(query.encode())} | {0} for kind, query in _KNOWN.items()
        }
    lake = LakeEvents(open_lake(settings), settings.bucket_lake)
    yield from _unknown("log", LogEvents.read_all(settings).columns, known)
    for events in lake.read(("post_id",), 0, 1):
        yield from _unknown("lake", events, known)


def _unknown(where: str, events: EventColumns, known: dict[str, set[int]]) -> Iterator[str]:
    for name, ids in (("post", events.post_id), ("person", events.user_id), ("person", events.creator_id)):
        for one in sorted(set(ids.tolist()) - known[name]):
            yield f"dangling\tthe {where} has events of the {name} {encode_id(one)}, whom the tables do not have"


def judged(target: Loaded, ledger: Ledger) -> tuple[dict[str, int], list[str]]:
    """Compare a ledger with a restored photofeed whose workers run; figures, and what is wrong."""
    judge = Judge(target, ledger)
    judge.settle()
    judge.compare()
    figures = {
        "uploadsAccepted": len(ledger.uploads),
        "uploadsRestored": judge.uploads_settled(),
        "eventsAccepted": len(ledger.events),
        "eventsRestored": judge.events_logged(),
        "linksAccepted": len(ledger.links),
        "countersWrong": judge.counters_wrong(),
    }
    return figures, judge.violations
