"""The tables of an import and their columns. docs/how-to/import.md shows them; a test compares."""

from dataclasses import dataclass
from enum import StrEnum

from photofeed.events import PERSON_ACTIONS, Action

LONGEST_ID, LONGEST_TEXT = 200, 2_200
MOST_TAGS = 30


class Kind(StrEnum):
    """What a column holds; how it is written is in `MEANINGS`."""

    ID = "id"
    TEXT = "text"
    TAGS = "tags"
    TIME = "time"
    NUMBER = "whole number"
    CHOICE = "choice"


MEANINGS = {
    Kind.ID: f"your own id: text or a number, 1 to {LONGEST_ID} characters",
    Kind.TEXT: f"text of at most {LONGEST_TEXT:,} characters",
    Kind.TAGS: f"at most {MOST_TAGS} words, separated by `|`; in Parquet also a list",
    Kind.TIME: "RFC 3339 (without a zone: UTC), or seconds since 1970; in Parquet also a timestamp",
    Kind.NUMBER: "a whole number, from 0",
    Kind.CHOICE: "one of the words named",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    `high`: the largest whole number, or the longest text. `among`: the words of a choice. `refers`: the table whose
    first column this id must be in.
    """

    name: str
    kind: Kind
    about: str
    required: bool = False
    high: int = 2**31 - 1
    among: tuple[str, ...] = ()
    refers: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One table: one file named after it, as CSV with a header or as Parquet."""

    name: str
    about: str
    columns: tuple[Column, ...]

    @property
    def required(self) -> tuple[str, ...]:
        """The names of the columns that a file must have."""
        return tuple(column.name for column in self.columns if column.required)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns."""
        return tuple(column.name for column in self.columns)


_A_DAY_MS = 86_400_000
USERS = Table(
    "users",
    "people: who looks, and who publishes",
    (
        Column("user_id", Kind.ID, "the person", required=True),
        Column("display_name", Kind.TEXT, "shown name", high=80),
        Column("created_at", Kind.TIME, "when the person joined; before all others unless given"),
    ),
)
ITEMS = Table(
    "items",
    "what is ranked; the same as `PUT /v1/items`",
    (
        Column("item_id", Kind.ID, "the item", required=True),
        Column("creator_id", Kind.ID, "who published it, if somebody did", refers="users"),
        Column("created_at", Kind.TIME, "when it was published; before all others unless given"),
        Column("title", Kind.TEXT, "its text", high=LONGEST_TEXT),
        Column("tags", Kind.TAGS, "its tags; the first is its topic"),
    ),
)
FOLLOWS = Table(
    "follows",
    "which person follows which",
    (
        Column("follower_id", Kind.ID, "who follows", required=True, refers="users"),
        Column("followee_id", Kind.ID, "who is followed", required=True, refers="users"),
        Column("created_at", Kind.TIME, "since when", required=True),
    ),
)
IMPRESSIONS = Table(
    "impressions",
    "which items a person was shown, together in a slate",
    (
        Column("user_id", Kind.ID, "who looked", required=True, refers="users"),
        Column("item_id", Kind.ID, "what was shown", required=True, refers="items"),
        Column("slate_id", Kind.ID, "what was shown together: a page, a session, a request", required=True),
        Column("occurred_at", Kind.TIME, "when it was shown", required=True),
        Column("position", Kind.NUMBER, "position in the slate, from 0", high=1_000_000),
        Column("id", Kind.ID, "the event; the slate and the item unless given"),
    ),
)
ACTIONS = Table(
    "actions",
    "what a person did to an item",
    (
        Column("user_id", Kind.ID, "who acted", required=True, refers="users"),
        Column("item_id", Kind.ID, "on what", required=True, refers="items"),
        Column(
            "action",
            Kind.CHOICE,
            "what was done",
            required=True,
            among=tuple(a.value for a in Action if a not in PERSON_ACTIONS and a is not Action.IMPRESSION),
        ),
        Column("occurred_at", Kind.TIME, "when it was done", required=True),
        Column(
            "slate_id",
            Kind.ID,
            "the slate that showed it; unless given, that of the person's last impression of it, within a day",
        ),
        Column("dwell_ms", Kind.NUMBER, "of `dwell`: how long the person looked", high=_A_DAY_MS),
        Column("id", Kind.ID, "the event; person, item, action and time unless given"),
    ),
)
TABLES = (USERS, ITEMS, FOLLOWS, IMPRESSIONS, ACTIONS)
