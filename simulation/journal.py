"""The journal of a seeding: one line of JSON per completed step, so that an interrupted seeding can resume."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from simulation.scale import Scale


@dataclass(frozen=True, slots=True)
class UploadedPhoto:
    """An uploaded photo: the owner's index, and the fields that the author sets."""

    id: str
    owner: int
    topic: str
    caption: str
    is_reel: bool
    created_at: datetime


class Journal:
    """A world's journal. A step whose line is incomplete counts as not done.

    Attributes:
        seed: random seed of the world.
        scale: size of the world.
        anchor: end of the world's history.
        people: user ids by index of the person.
        photos: uploads by index of the picture.
        follows: accepted events of each batch of follows sent.
        history: accepted events of each batch of history sent.
    """

    def __init__(self, path: Path, *, seed: int, scale: Scale, now: datetime) -> None:
        """Open the journal. If the file does not exist, start it with this seed, this scale and `now` as anchor."""
        self.seed = seed
        self.scale = scale
        self.anchor = now
        self.people: dict[int, str] = {}
        self.photos: dict[int, UploadedPhoto] = {}
        self.follows: list[int] = []
        self.history: list[int] = []
        self._marks: set[str] = set()
        self._path = path
        if path.exists():
            self._replay()
        else:
            self._append({"seed": seed, "scale": scale, "anchor": now})

    @property
    def events_accepted(self) -> int:
        """Number of events that the API accepted during seeding."""
        return sum(self.follows) + sum(self.history)

    def add_person(self, index: int, person_id: str) -> None:
        """Record that a user was created."""
        self._append({"person": index, "id": person_id})
        self.people[index] = person_id

    def add_photo(self, index: int, photo: UploadedPhoto) -> None:
        """Record that a photo was uploaded and completed."""
        self._append({"index": index, "photo": photo})
        self.photos[index] = photo

    def add_follows(self, accepted: int) -> None:
        """Record that the next batch of follows was sent."""
        self._append({"follows": accepted})
        self.follows.append(accepted)

    def add_history(self, accepted: int) -> None:
        """Record that the next batch of history was sent."""
        self._append({"history": accepted})
        self.history.append(accepted)

    def mark(self, milestone: str) -> None:
        """Record that a milestone was reached."""
        self._append({"milestone": milestone})
        self._marks.add(milestone)

    def has(self, milestone: str) -> bool:
        """Whether a milestone was reached."""
        return milestone in self._marks

    def _append(self, step: dict[str, Any]) -> None:
        with self._path.open("ab") as file:
            file.write(orjson.dumps(step) + b"\n")

    def _replay(self) -> None:
        whole, newline, _ = self._path.read_bytes().rpartition(b"\n")
        self._path.write_bytes(whole + newline)
        for line in whole.splitlines():
            self._apply(orjson.loads(line))

    def _apply(self, step: dict[str, Any]) -> None:
        match step:
            case {"seed": seed, "scale": scale, "anchor": anchor}:
                self.seed, self.scale, self.anchor = seed, Scale(**scale), datetime.fromisoformat(anchor)
            case {"person": index, "id": person_id}:
                self.people[index] = person_id
            case {"index": index, "photo": photo}:
                self.photos[index] = UploadedPhoto(
                    **photo | {"created_at": datetime.fromisoformat(photo["created_at"])}
                )
            case {"follows": accepted}:
                self.follows.append(accepted)
            case {"history": accepted}:
                self.history.append(accepted)
            case {"milestone": milestone}:
                self._marks.add(milestone)
