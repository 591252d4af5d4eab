"""PostgreSQL against itself: counters beside the rows that they count, and work that nobody does."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from psycopg.rows import DictRow

from ingestion.verify import Disagreement, Patience
from photofeed.database import Database
from photofeed.ids import encode_id
from photofeed.settings import Settings

_AT_ONCE = 1_000
_POSTS = """
select p.id, p.like_count, p.save_count, p.comment_count,
    (select count(*) from likes where post_id = p.id) as likes,
    (select count(*) from saves where post_id = p.id) as saves,
    (select count(*) from comments c where c.post_id = p.id and not exists (
        select 1 from blocks b where b.blocker_id = p.author_id and b.blocked_id = c.user_id)) as comments
from posts p where p.id > %s order by p.id limit %s
"""
_PEOPLE = """
select u.id, u.follower_count, u.following_count,
    (select count(*) from follows where followee_id = u.id) as followers,
    (select count(*) from follows where follower_id = u.id) as following
from users u where u.id > %s order by u.id limit %s
"""
_COUNTERS = {
    "posts": (_POSTS, {"like_count": "likes", "save_count": "saves", "comment_count": "comments"}),
    "users": (_PEOPLE, {"follower_count": "followers", "following_count": "following"}),
}
_STUCK = """
select id, coalesce(queued_at, completed_at) as since from photos
where status = 'processing' and coalesce(queued_at, completed_at) < now() - 2 * make_interval(secs => %s)
order by id limit %s
"""
_OLDEST = "select min(id) as id, count(*) as n from outbox"


@dataclass(slots=True)
class Counts:
    """Counters of posts and people, photos that stay in work, and an outbox that is not published."""

    settings: Settings
    database: Database
    patience: Patience
    name: str = "postgres"
    compared: int = 0
    notes: list[str] = field(default_factory=list)

    def run(self) -> Iterator[Disagreement]:
        """Wrong counters first."""
        for table, (query, counters) in _COUNTERS.items():
            after = 0
            while rows := self._rows(query, after, _AT_ONCE):
                self.compared += len(rows)
                if any(_wrong(table, row, counters) for row in rows):
                    yield from self._again(table, query, counters, after)
                after = rows[-1]["id"]
        yield from self.patience.persisting(self._stuck)
        yield from self._unpublished()

    def _again(self, table: str, query: str, counters: dict[str, str], after: int) -> list[Disagreement]:
        def find() -> list[Disagreement]:
            rows = self._rows(query, after, _AT_ONCE)
            return [one for row in rows for one in _wrong(table, row, counters)]

        return self.patience.persisting(find)

    def _stuck(self) -> list[Disagreement]:
        return [
            Disagreement(
                "postgres.stuck_photo",
                encode_id(row["id"]),
                f"in work since {row['since']:%Y-%m-%dT%H:%M:%SZ}",
                "photofeed photos sweep queues it again",
            )
            for row in self._rows(_STUCK, self.settings.processing_stuck_seconds, _AT_ONCE)
        ]

    def _unpublished(self) -> Iterator[Disagreement]:
        (before,) = self._rows(_OLDEST)
        if before["id"] is None:
            return
        self.patience.wait(self.patience.seconds)
        (now,) = self._rows(_OLDEST)
        if now["id"] == before["id"]:
            yield Disagreement(
                "postgres.outbox",
                str(now["id"]),
                f"{now['n']} messages are not published, and the oldest is not for {self.patience.seconds:g} s",
                "start `photofeed work relay`",
            )

    def _rows(self, query: str, *arguments: object) -> list[DictRow]:
        with self.database.connection() as connection:
            return connection.execute(query.encode(), arguments).fetchall()


def _wrong(table: str, row: DictRow, counters: dict[str, str]) -> list[Disagreement]:
    return [
        Disagreement(
            f"postgres.{counter}",
            encode_id(row["id"]),
            f"{counter} is {row[counter]}, and there are {row[counted]} {counted}",
            f"update {table} set {counter} = {row[counted]} where id = {row['id']}",  # noqa: S608  to be read
        )
        for counter, counted in counters.items()
        if row[counter] != row[counted]
    ]
