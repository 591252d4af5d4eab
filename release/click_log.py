"""A small click log in the files of `photofeed import`: people click on the items of their own topic."""

import csv
import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

PEOPLE, ITEMS, SLATES, SHOWN = 20, 60, 120, 8
TOPICS = ("birds", "boats", "bread", "bridges")


def write_click_log(folder: Path, now: datetime) -> None:
    """Write slates of the four days before `now`; the same for each `now`."""
    drawn = random.Random(1)
    topics = {item: TOPICS[item % len(TOPICS)] for item in range(ITEMS)}
    impressions, actions = [], []
    for slate in range(SLATES):
        person = slate % PEOPLE
        at = now - timedelta(days=4) + timedelta(hours=90) * slate / SLATES
        for position, item in enumerate(drawn.sample(range(ITEMS), SHOWN)):
            impressions.append((person, item, slate, position, at.isoformat()))
            if drawn.random() < (0.9 if topics[item] == TOPICS[person % len(TOPICS)] else 0.1):
                actions.append((person, item, slate, "like", (at + timedelta(seconds=20)).isoformat()))
    joined = (now - timedelta(days=30)).astimezone(UTC).isoformat()
    _write(folder, "users", "user_id,created_at", ((person, joined) for person in range(PEOPLE)))
    _write(folder, "items", "item_id,creator_id,tags", ((item, item % PEOPLE, topics[item]) for item in topics))
    _write(folder, "impressions", "user_id,item_id,slate_id,position,occurred_at", impressions)
    _write(folder, "actions", "user_id,item_id,slate_id,action,occurred_at", actions)


def _write(folder: Path, table: str, header: str, rows: Iterable[tuple[object, ...]]) -> None:
    with (folder / f"{table}.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])
