"""A backup that is made while people read, like, upload and delete; and what must be true of it afterwards.

1. Everything that was acknowledged before `photofeed backup` began is there, as it was; photos deleted before are not.
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
_DELETES = 4
_POSTS = "select id, owner_id from photos where status = 'ready' order by id"
_MUST_HAPPEN = ("uploadsAccepted", "eventsAccepted", "linksAccepted", "deletedBefore", "deletedMeanwhile")
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


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What clients were told before a backup began, and how many photos were deleted while it was made."""

    before: Ledger
    deleted_meanwhile: int


def under_load(target: Loaded, back_up: Callable[[], None]) -> Acknowledged:
    """Make a backup while clients act.

    Those who act before it, and those who act meanwhile, are other people with other posts, so what the first ones did
    stays as it was. Each have half of the posts that were there, to delete some of them.
    """
    with database.connect(target.settings) as connection:
        posts = [(encode_id(row["id"]), row["owner_id"]) for row in connection.execute(_POSTS)]
    before = _load(target, 1, dict(posts[::2]))
    time.sleep(_BEFORE_SECONDS)
    before.end()
    meanwhile = _load(target, 2, dict(posts[1::2]))
    try:
        time.sleep(_WARM_SECONDS)
        earlier = len(meanwhile.ledger.deleted)
        back_up()
        deleted = len(meanwhile.ledger.deleted) - earlier
    finally:
        meanwhile.end()
    return Acknowledged(before.ledger, deleted)


def _load(target: Loaded, seed: int, posts: dict[str, int]) -> Load:
    load = Load(target, Ledger(), seed, clients=_CLIENTS, deletes=_DELETES, posts=posts)
    load.begin()
    return load


def dangling(settings: Settings) -> Iterator[str]:
    """Events of the log and of the lake that are about posts or people that PostgreSQL does not have."""
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
            yield f"dangling\tthe {where} has events of the {name} {encode_id(one)}, which the tables lack"


def judged(target: Loaded, acknowledged: Acknowledged) -> tuple[dict[str, int], list[str]]:
    """Compare what was acknowledged with a restored photofeed whose workers run; figures, and what is wrong."""
    ledger = acknowledged.before
    judge = Judge(target, ledger)
    judge.settle()
    judge.compare()
    figures = {
        "uploadsAccepted": len(ledger.uploads),
        "uploadsRestored": judge.uploads_settled(),
        "eventsAccepted": len(ledger.events),
        "eventsRestored": judge.events_logged(),
        "linksAccepted": len(ledger.links),
        "deletedBefore": len(ledger.deleted),
        "deletedMeanwhile": acknowledged.deleted_meanwhile,
        "countersWrong": judge.counters_wrong(),
    }
    idle = [f"load\t{name} is 0" for name in _MUST_HAPPEN if not figures[name]]
    return figures, judge.violations + idle
