"""Marks of writers whose work is finished once it is in Redis: their numbers are kept in PostgreSQL."""

import uuid
from dataclasses import dataclass, field
from datetime import timedelta

from photofeed.database import Database
from photofeed.errors import UnavailableError
from photofeed.redis_client import RedisClient
from photofeed.write_marks import MarkState, WriteMarks

_FORMER_FOR = timedelta(days=1)  # how long the number of a process that has ended is compared
_KEEP = """
insert into write_marks (owner, number) values (%s, %s)
on conflict (owner) do update set number = excluded.number, marked_at = now()
"""
_FORMER = "select owner, number, marked_at < now() - %s as is_old from write_marks where owner like %s and owner <> %s"
_FORGET = "delete from write_marks where owner = %s"


@dataclass(slots=True)
class KeptMarks:
    """The marks of one process among several of a kind.

    A process that starts also compares the numbers of the others, of which one may have ended together with Redis.
    """

    database: Database
    redis: RedisClient
    kind: str
    _id: str = field(default_factory=lambda: uuid.uuid4().hex)
    _number: int = 0
    _servers: frozenset[str] = frozenset()
    _knows_former: bool = False

    def is_whole(self) -> bool:
        """Whether Redis has all finished work; what follows is marked by `finish`.

        Raises:
            redis.RedisError: a primary does not answer.
        """
        state = self._mine.look()
        self._servers = state.servers
        if state.lowest < self._number:
            return False
        if not self._knows_former:
            self._knows_former = self._has_former()
        return self._knows_former

    def finish(self) -> None:
        """Mark the work since `is_whole` as finished.

        Raises:
            UnavailableError: Redis has lost writes meanwhile, or another process of it answers: repeat the work.
        """
        before = self._mine.raise_to(self._number + 1, known=self._number)
        if before.lowest < self._number or before.servers != self._servers:
            raise UnavailableError("Redis was restarted or replaced during the work")
        with self.database.connection() as connection:
            connection.execute(_KEEP, (self._mine.owner, self._number + 1))
        self._number += 1

    def repaired(self) -> None:
        """Everything that may have been lost is in Redis again."""
        self._mine.raise_to(self._number, known=0)
        self._knows_former = True

    def look(self) -> MarkState:
        """The servers and the marks now."""
        return self._mine.look()

    @property
    def _mine(self) -> WriteMarks:
        return WriteMarks(self.redis, f"{self.kind}:{self._id}")

    def _has_former(self) -> bool:
        """Whether Redis has the work of all other processes of the kind, also of those that have ended."""
        with self.database.connection() as connection:
            others = connection.execute(_FORMER, (_FORMER_FOR, f"{self.kind}:%", self._mine.owner)).fetchall()
            for other in others:
                if other["is_old"]:
                    connection.execute(_FORGET, (other["owner"],))
                    WriteMarks(self.redis, other["owner"]).forget()
        recent = [other for other in others if not other["is_old"]]
        return all(WriteMarks(self.redis, other["owner"]).look().lowest >= other["number"] for other in recent)
