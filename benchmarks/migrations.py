"""How long readers wait while a filled database of version 0.1.0 is migrated. Prints a table, then one line of JSON.

Readers ask one indexed question after the other of each table, on connections of their own. The floor is the longest
answer in as much time before the migration.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from photofeed import database
from photofeed.embedded.stack import EmbeddedStack
from photofeed.settings import Settings

OLDEST = "0013"
FLOOR_SECONDS = 10.0
PEOPLE_SHARE, LIKES_PER_POST = 0.1, 5
FILL = """
insert into users (id, handle, display_name, created_at)
    select n, 'u' || n, 'Somebody', now() from generate_series(1, %(people)s) n;
insert into photos (id, owner_id, status, original_key, width, height, created_at, variants)
    select n, n %% %(people)s + 1, 'ready', 'original/' || n, 1080, 720, now(),
           '[{"key": "a", "size": 1080, "format": "jpeg", "bytes": 100000, "width": 1080, "height": 720}]'
    from generate_series(1, %(posts)s) n;
insert into posts (id, author_id, caption, tags, topic_id, content_type, posted_at, visible)
    select n, n %% %(people)s + 1, 'A walk in the mountains at dawn', '{mountains,dawn}', 7, 'photo', now(), true
    from generate_series(1, %(posts)s) n;
insert into likes (user_id, post_id, created_at)
    select (n + step * 7919) %% %(people)s + 1, n, now()
    from generate_series(1, %(posts)s) n, generate_series(1, %(likes)s) step on conflict do nothing;
insert into comments (id, post_id, user_id, body, created_at)
    select n, n, n %% %(people)s + 1, 'Beautiful', now() from generate_series(1, %(posts)s) n;
"""
READS = {
    "users": "select handle from users where id = %s",
    "photos": "select status from photos where id = %s",
    "posts": "select caption from posts where id = %s",
    "likes": "select count(*) from likes where post_id = %s",
    "comments": "select body from comments where post_id = %s",
}


@contextmanager
def readers(settings: Settings) -> Iterator[dict[str, float]]:
    """Read all tables while the context is open; the longest answer of each, in seconds, is there afterwards."""
    stop, longest = threading.Event(), dict.fromkeys(READS, 0.0)

    def read(table: str) -> None:
        with closing(database.connect(settings)) as connection:
            number = 0
            while not stop.is_set():
                number = number % 1_000 + 1
                began = time.perf_counter()
                connection.execute(READS[table], (number,)).fetchall()
                longest[table] = max(longest[table], time.perf_counter() - began)
                stop.wait(0.002)

    with ThreadPoolExecutor(len(READS)) as threads:
        running: list[Future[None]] = [threads.submit(read, table) for table in READS]
        try:
            yield longest
        finally:
            stop.set()
            for each in running:
                each.result()


def main() -> None:
    """Fill, read, migrate."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--posts", type=int, default=300_000)
    posts = parser.parse_args().posts
    people = max(int(posts * PEOPLE_SHARE), 1)
    with tempfile.TemporaryDirectory() as name, EmbeddedStack(Path(name) / "stack") as stack:
        settings = stack.settings()
        database.migrate(settings, OLDEST)
        with closing(database.connect(settings)) as connection:
            for statement in FILL.strip().split(";\n"):
                connection.execute(statement, {"people": people, "posts": posts, "likes": LIKES_PER_POST})
            connection.execute("analyze")
        with readers(settings) as floor:
            threading.Event().wait(FLOOR_SECONDS)
        with readers(settings) as longest:
            began = time.perf_counter()
            database.migrate(settings)
            seconds = time.perf_counter() - began
    table = Table("table", "longest read before, s", "during the migration, s", title=f"{posts:,} posts")
    for name, value in longest.items():
        table.add_row(name, f"{floor[name]:.3f}", f"{value:.3f}")
    Console().print(table)
    figures = {
        "posts": posts,
        "migrationSeconds": round(seconds, 1),
        "longestReadSeconds": round(max(longest.values()), 3),
        "longestReadBeforeSeconds": round(max(floor.values()), 3),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
