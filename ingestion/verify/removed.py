"""Deleted photos in every system and at the edge: nothing of them may be left."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from psycopg.rows import DictRow

from ingestion.leftovers import Leftovers
from ingestion.verify import Disagreement, Patience
from photofeed.ids import encode_id

_REPAIRS = {
    "cdn": "start `photofeed work purge`, or purge the image from the CDN",
    "timeline": "delete the Redis key timelines:whole: the fan-out worker then rebuilds all timelines",
    "row": "delete the row",
}


@dataclass(slots=True)
class Removed:
    """What is left of deleted photos: objects, rows, entries of timelines, copies at the edge."""

    leftovers: Leftovers
    patience: Patience
    name: str = "removed"
    compared: int = 0
    notes: list[str] = field(default_factory=list)

    def run(self) -> Iterator[Disagreement]:
        """By photo."""
        for batch in self.leftovers.batches():
            self.compared += len(batch)
            yield from self.patience.persisting(partial(self._left_of, batch))

    def _left_of(self, batch: Sequence[DictRow]) -> Iterator[Disagreement]:
        for one in self.leftovers.find(batch):
            yield Disagreement(
                f"removed.{one.kind}",
                f"{encode_id(one.photo_id)} {one.name}",
                "the photo was deleted, and this is left",
                _REPAIRS.get(one.kind, "start `photofeed work removal`, or run photofeed photos sweep"),
            )
