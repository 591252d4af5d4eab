"""The point-in-time join: for every entity row, of the history that was known at its moment, the newest.

Feast's own joins an entity row with everything known of it before, and throws all but one away: where a person has
hundreds of rows, so has each of their entity rows for a while. Here the history is brought into the order in which it
became known, and every entity row looks up one place in it (DuckDB's ASOF join): a sort, however hot a key is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

import ibis
from ibis.expr.datatypes import Timestamp

if TYPE_CHECKING:
    from feast import FeatureView

# columns of a history while it is joined, named so that none is mistaken for one of the entity rows
_KEY, _FEATURE = "key: {}", "feature: {}"
_HAPPENED, _CREATED, _KNOWN = "time: happened", "time: created", "time: known"


@dataclass(frozen=True, slots=True)
class History:
    """What happened to the entities of one view, and what is asked of it."""

    rows: Any
    """An ibis table."""
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
    def of(cls, view: "FeatureView", rows: Any, feature_refs: Iterable[str], full_names: bool) -> Self:
        """The features of one view among all that were asked for; named as Feast names them."""
        source, projection = view.batch_source, view.projection
        asked = [ref.split(":")[1] for ref in feature_refs if ref.startswith(f"{projection.name_to_use()}:")]
        prefix = f"{projection.name_alias or view.name}__" if full_names else ""
        mapping = {new: old for old, new in source.field_mapping.items() if old in rows.columns}
        return cls(
            rows=rows.rename(mapping),
            happened=source.timestamp_field,
            created=source.created_timestamp_column or None,
            keys=projection.join_key_map or {column.name: column.name for column in view.entity_columns},
            features={f"{prefix}{name}": name for name in asked},
            lives=view.ttl,
        )

    def as_it_became_known(self, asked: Any, hide_late: bool) -> Any:
        """Keys, features, when it happened, and when it became known, of whom the entity rows `asked` are about.

        There is at most one row for the same keys and time of becoming known.
        A row that was outdated when it became known is never the newest, and left out; of rows about one event the one
        created last counts.
        """
        moments = {_HAPPENED: self.happened, _CREATED: self.created or self.happened}
        moments = {name: self.rows[column].cast(Timestamp(timezone="UTC")) for name, column in moments.items()}
        rows = self.rows.select(
            **{_KEY.format(column): self.rows[column] for column in self.keys},
            **{_FEATURE.format(name): self.rows[column] for name, column in self.features.items()},
            **moments,
            **{_KNOWN: ibis.greatest(*moments.values()) if hide_late else moments[_HAPPENED]},
        )
        keys = [rows[_KEY.format(here)] == asked[there] for here, there in self.keys.items()]
        rows = rows.semi_join(asked.select(*self.keys.values()), keys) if keys else rows
        # a row that lacks a time of which its place depends has none; `greatest` would pass over it
        rows = rows.drop_null([_HAPPENED, _CREATED] if hide_late else [_HAPPENED])
        order = {
            "group_by": [_KEY.format(column) for column in self.keys],
            "order_by": [_KNOWN, _HAPPENED, ibis.asc(_CREATED, nulls_first=True)],
        }
        newest = rows[_HAPPENED].max().over(ibis.cumulative_window(**order))
        known_next = rows[_KNOWN].lead().over(ibis.window(**order))
        return rows.filter(rows[_HAPPENED] == newest, ~known_next.identical_to(rows[_KNOWN]))


def join_what_was_known(entity_rows: Any, moment: str, histories: Iterable[History], hide_late: bool) -> Any:
    """The entity rows, in any order, with the features of every history as they stood at each row's moment.

    Rows without history, without a key or with one that outlived its time have nulls.

    Args:
        entity_rows: an ibis table.
        moment: its column with the time that is asked about.
        histories: one of each view.
        hide_late: leave out rows created after the moment, though what they tell of happened before.
    """
    answer = entity_rows
    for history in histories:
        rows = history.as_it_became_known(entity_rows, hide_late)
        keys = [answer[there] == rows[_KEY.format(here)] for here, there in history.keys.items()]
        joined = answer.asof_join(rows, answer[moment] >= rows[_KNOWN], keys)
        features = {name: joined[_FEATURE.format(name)] for name in history.features}
        if history.lives:
            lives = joined[_HAPPENED] + ibis.literal(history.lives) >= joined[moment]
            features = {name: lives.ifelse(column, ibis.null(column.type())) for name, column in features.items()}
        answer = joined.select(*answer.columns, *(column.name(name) for name, column in features.items()))
    return answer
