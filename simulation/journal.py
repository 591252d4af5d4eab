"""What seeding has done so far, one JSON line a step: an interrupted seeding goes on where it was."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from simulation.scale import Scale


@dataclass(frozen=True, slots=True)
class UploadedPhoto:
    """A photo that was uploaded: whose (index of the person), and what only its author says of it."""

    id: str
    owner: int
    topic: str
    caption: str
    is_reel: bool
    created_at: datetime


class Journal:
    """A world's journal. A step cut off in the middle of its line counts as not done.

    Attributes:
        seed: what the world is drawn from.
        scale: how large it is.
        anchor: the end of its history.
        people: ids by index of the person.
        photos: uploads by index of the picture.
        follows: events accepted of each batch of follows sent.
        history: events accepted of each batch of history sent.
    """

    def __init__(self, path: Path, *, seed: int, scale: Scale, now: datetime) -> None:
        """Open the journal; if there is none, begin it with this seed, scale and moment."""
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
        """Events accepted while seeding."""
        return sum(self.follows) + sum(self.history)

    def add_person(self, index: int, person_id: str) -> None:
        """Note that a person was made."""
        self._append({"person": index, "id": person_id})
        self.people[index] = person_id

    def add_photo(self, index: int, photo: UploadedPhoto) -> None:
        """Note that a photo was uploaded and completed."""
        self._append({"index": index, "photo": photo})
        self.photos[index] = photo

    def add_follows(self, accepted: int) -> None:
        """Note that the next batch of follows was sent."""
        self._append({"follows": accepted})
        self.follows.append(accepted)

    def add_history(self, accepted: int) -> None:
        """Note that the next batch of history was sent."""
        self._append({"history": accepted})
        self.history.append(accepted)

    def mark(self, milestone: str) -> None:
        """Note that a milestone was reached."""
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
