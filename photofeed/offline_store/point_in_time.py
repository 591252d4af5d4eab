"""The point-in-time join: for every entity row, of the history that was known at its moment, the newest.

Feast's own joins an entity row with everything known of it before, and throws all but one away: where a person has
hundreds of rows, so has each of their entity rows for a while. Here the history is brought into the order in which it
became known, and every entity row looks up one place in it (DuckDB's ASOF join): a sort, however hot a key is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from photofeed.offline_store.columns import quoted

if TYPE_CHECKING:
    from feast import FeatureView

# columns of a history while it is joined, named so that none is mistaken for one that it came with
_KEY, _FEATURE = "key: {}", "feature: {}"
_HAPPENED, _CREATED, _KNOWN = '"time: happened"', '"time: created"', '"time: known"'


@dataclass(frozen=True, slots=True)
class History:
    """What happened to the entities of one view, and what is asked of it."""

    rows: str
    """What SQL selects from: a table, or a call that reads one."""
    happened: str
    """The column with the time of the event."""
    created: str | None
    """The column with the time at which the row became known."""
    keys: Mapping[str, str]
    """Columns of the history to those of the entity rows they are equal to."""
    features: Mapping[str, str]
    """Columns of the answer to those of the history."""
    lives: timedelta | None = None
    """How old a row may be; forever if None or zero."""

    @classmethod
    def of(cls, view: "FeatureView", rows: str, feature_refs: Iterable[str], full_names: bool) -> Self:
        """The features of one view among all that were asked for; named as Feast names them."""
        source, projection = view.batch_source, view.projection
        asked = [ref.split(":")[1] for ref in feature_refs if ref.startswith(f"{projection.name_to_use()}:")]
        prefix = f"{projection.name_alias or view.name}__" if full_names else ""
        renamed = {new: old for old, new in source.field_mapping.items()}
        keys = projection.join_key_map or {column.name: column.name for column in view.entity_columns}
        return cls(
            rows=rows,
            happened=source.timestamp_field,
            created=source.created_timestamp_column or None,
            keys={renamed.get(here, here): there for here, there in keys.items()},
            features={f"{prefix}{name}": renamed.get(name, name) for name in asked},
            lives=view.ttl,
        )

    def as_it_became_known(self, entity_rows: str, hide_late: bool) -> str:
        """Keys, features, when it happened, and when it became known, of whom the entity rows are about.

        There is at most one row for the same keys and time of becoming known.
        A row that was outdated when it became known is never the newest, and left out; of rows about one event the one
        created last counts.
        """
        columns = {_KEY.format(column): column for column in self.keys}
        columns |= {_FEATURE.format(name): column for name, column in self.features.items()}
        rows = ", ".join(f"{quoted(column)} as {quoted(name)}" for name, column in columns.items())
        happened, created = (f"{quoted(name)}::timestamptz" for name in (self.happened, self.created or self.happened))
        known = f"greatest({happened}, {created})" if hide_late else happened
        # a row that lacks a time of which its place depends has none; `greatest` would pass over it
        kept = [f"{happened} is not null"] + [f"{created} is not null"] * hide_late
        if self.keys:
            equal = (f"{entity_rows}.{quoted(there)} = history.{quoted(here)}" for here, there in self.keys.items())
            kept.append(f"exists (from {entity_rows} where {' and '.join(equal)})")
        keys = f"partition by {quoted(*map(_KEY.format, self.keys))} " if self.keys else ""
        order = f"{keys}order by {_KNOWN}, {_HAPPENED}, {_CREATED} nulls first"
        return f"""
            from (
                select {rows}, {happened} as {_HAPPENED}, {created} as {_CREATED}, {known} as {_KNOWN}
                from {self.rows} as history where {" and ".join(kept)})
            qualify {_HAPPENED} = max({_HAPPENED}) over ({order} rows unbounded preceding)
                and lead({_KNOWN}) over ({order}) is distinct from {_KNOWN}"""  # noqa: S608  names are quoted


def join_what_was_known(entity_rows: str, moment: str, histories: Iterable[History], hide_late: bool) -> str:
    """SQL for the entity rows, in any order, with the features of every history as they stood at each row's moment.

    Rows without history, without a key or with one that outlived its time have nulls.

    Args:
        entity_rows: a table's name.
        moment: its column with the time that is asked about.
        histories: one of each view.
        hide_late: leave out rows created after the moment, though what they tell of happened before.
    """
    now = f"{entity_rows}.{quoted(moment)}::timestamptz"  # nanoseconds do not compare with microseconds
    columns, joins = [f"{entity_rows}.*"], ""
    for number, history in enumerate(histories):
        one = f"history_{number}"
        place = [f"{now} >= {one}.{_KNOWN}"]
        place += [
            f"{entity_rows}.{quoted(there)} = {one}.{quoted(_KEY.format(here))}" for here, there in history.keys.items()
        ]
        joins += (
            f" asof left join ({history.as_it_became_known(entity_rows, hide_late)}) {one} on {' and '.join(place)}"
        )
        features = {name: f"{one}.{quoted(_FEATURE.format(name))}" for name in history.features}
        if history.lives:
            alive = f"{one}.{_HAPPENED} + to_microseconds({history.lives // timedelta(microseconds=1)}) >= {now}"
            features = {name: f"case when {alive} then {column} end" for name, column in features.items()}
        columns += [f"{column} as {quoted(name)}" for name, column in features.items()]
    return f"select {', '.join(columns)} from {entity_rows}{joins}"  # noqa: S608  names are quoted
