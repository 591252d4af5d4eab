"""The point-in-time join: for every entity row, the newest history row that was known at its time.

Feast's own query joins an entity row with all earlier rows of its keys and drops all except one, which is quadratic for
keys with many rows. This one drops superseded rows, sorts the history by the time each row became known, and does one
ASOF join in DuckDB: the cost of a sort, whatever the distribution of keys.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from photofeed.features.counters import COUNTS_TAG
from photofeed.offline_store.columns import quoted

if TYPE_CHECKING:
    from feast import FeatureView

# columns of a history during the join; these names do not collide with columns of the source
_KEY, _FEATURE = "key: {}", "feature: {}"
_EVENT, _CREATED, _KNOWN = '"time: event"', '"time: created"', '"time: known"'


@dataclass(frozen=True, slots=True)
class History:
    """The history of one view, and the features to read from it."""

    rows: str
    """A table in SQL, or a function call that reads one."""
    event_time: str
    """The column with the event time."""
    created: str | None
    """The column with the time at which the row became known."""
    keys: Mapping[str, str]
    """Columns of the history -> columns of the entity rows that they must equal."""
    features: Mapping[str, str]
    """Columns of the result -> columns of the history."""
    ttl: timedelta | None = None
    """Maximum age of a row; unlimited if None or zero."""
    after: bool = False
    """Whether an entity row sees only rows from before its time. A row of counters has the time of the event that it
    counts: an entity row of the same time, made of the same event, would see its own label."""

    @classmethod
    def of(cls, view: "FeatureView", rows: str, feature_refs: Iterable[str], full_names: bool) -> Self:
        """The history of one view, with those of the requested features that belong to it; names are Feast's."""
        source, projection = view.batch_source, view.projection
        requested = [ref.split(":")[1] for ref in feature_refs if ref.startswith(f"{projection.name_to_use()}:")]
        prefix = f"{projection.name_alias or view.name}__" if full_names else ""
        renamed = {new: old for old, new in source.field_mapping.items()}
        keys = projection.join_key_map or {column.name: column.name for column in view.entity_columns}
        return cls(
            rows=rows,
            event_time=source.timestamp_field,
            created=source.created_timestamp_column or None,
            keys={renamed.get(here, here): there for here, there in keys.items()},
            features={f"{prefix}{name}": renamed.get(name, name) for name in requested},
            ttl=view.ttl,
            after=any(COUNTS_TAG in field.tags for field in view.features),
        )

    def known_rows(self, entity_rows: str, hide_late: bool) -> str:
        """SQL for keys, features, event time and time of becoming known, for the keys of the entity rows.

        The result has at most one row per keys and time of becoming known. Rows that were superseded when they became
        known are left out, because they are never the newest. Of rows with one event time the last created counts.
        """
        columns = {_KEY.format(column): column for column in self.keys}
        columns |= {_FEATURE.format(name): column for name, column in self.features.items()}
        rows = ", ".join(f"{quoted(column)} as {quoted(name)}" for name, column in columns.items())
        event, created = (f"{quoted(name)}::timestamptz" for name in (self.event_time, self.created or self.event_time))
        known = f"greatest({event}, {created})" if hide_late else event
        # rows without one of the times that order them are left out; `greatest` would ignore the null
        kept = [f"{event} is not null"] + [f"{created} is not null"] * hide_late
        if self.keys:
            equal = (f"{entity_rows}.{quoted(there)} = history.{quoted(here)}" for here, there in self.keys.items())
            kept.append(f"exists (from {entity_rows} where {' and '.join(equal)})")
        keys = f"partition by {quoted(*map(_KEY.format, self.keys))} " if self.keys else ""
        order = f"{keys}order by {_KNOWN}, {_EVENT}, {_CREATED} nulls first"
        return f"""
            from (
                select {rows}, {event} as {_EVENT}, {created} as {_CREATED}, {known} as {_KNOWN}
                from {self.rows} as history where {" and ".join(kept)})
            qualify {_EVENT} = max({_EVENT}) over ({order} rows unbounded preceding)
                and lead({_KNOWN}) over ({order}) is distinct from {_KNOWN}"""  # noqa: S608  names are quoted


def point_in_time_query(
    entity_rows: str, moment: str, histories: Iterable[History], hide_late: bool, hidden: Sequence[str] = ()
) -> str:
    """SQL for the entity rows with the features of every history as known at each row's time.

    Features are null if there is no history, a key is null, or the row is older than its `ttl`.

    Args:
        entity_rows: name of a table.
        moment: its column with the time of each row.
        histories: one per view.
        hide_late: leave out rows created after that time, even if their event is earlier.
        hidden: columns of the table that the result does not have. It is ordered by the first; without any the order
            is not defined.
    """
    now = f"{entity_rows}.{quoted(moment)}::timestamptz"  # nanoseconds do not compare with microseconds
    without = f" exclude ({quoted(*hidden)})" if hidden else ""
    columns, joins = [f"{entity_rows}.*{without}"], ""
    for number, history in enumerate(histories):
        one = f"history_{number}"
        conditions = [f"{now} {'>' if history.after else '>='} {one}.{_KNOWN}"]
        conditions += [
            f"{entity_rows}.{quoted(there)} = {one}.{quoted(_KEY.format(here))}" for here, there in history.keys.items()
        ]
        joins += f" asof left join ({history.known_rows(entity_rows, hide_late)}) {one} on {' and '.join(conditions)}"
        features = {name: f"{one}.{quoted(_FEATURE.format(name))}" for name in history.features}
        if history.ttl:
            alive = f"{one}.{_EVENT} + to_microseconds({history.ttl // timedelta(microseconds=1)}) >= {now}"
            features = {name: f"case when {alive} then {column} end" for name, column in features.items()}
        columns += [f"{column} as {quoted(name)}" for name, column in features.items()]
    order = f" order by {entity_rows}.{quoted(hidden[0])}" if hidden else ""
    return f"select {', '.join(columns)} from {entity_rows}{joins}{order}"  # noqa: S608  names are quoted
