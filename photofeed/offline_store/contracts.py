"""Contracts: the rules that a row must keep to enter the lake.

A contract is declared once, column by column. Every batch is checked by a few vector operations, which take
microseconds per column. pandera, which takes a hundred times as long, runs only on the rows that break a rule, to name
the reasons.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)  # imports are of any age; clocks that were never set say 1970
CLOCKS_APART = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rule:
    """The allowed values of one column; for a null only `required` counts.

    `low` and `high` are inclusive and exclude NaN. `finite` excludes infinities only, because a missing number may be
    null or NaN. `moment`: not before EARLIEST, and not more than CLOCKS_APART in the future.
    """

    column: str
    required: bool = False
    low: float | None = None
    high: float | None = None
    among: frozenset[str] | None = None
    finite: bool = False
    moment: bool = False

    def allows(self, values: Any, now: datetime) -> NDArray[np.bool_]:
        """Mask of the values that keep the rule, (n,)."""
        null = values.is_null().to_numpy(zero_copy_only=False)
        kept = np.ones(len(values), np.bool_)
        if self.among is not None:
            kept &= pc.is_in(values, value_set=pa.array(sorted(self.among))).to_numpy(zero_copy_only=False)
        if self.moment:
            zone = values.type
            first, last = pa.scalar(EARLIEST, zone), pa.scalar(now + CLOCKS_APART, zone)
            kept &= _known(pc.and_(pc.greater_equal(values, first), pc.less_equal(values, last)))
        if self.low is not None:
            kept &= _known(pc.greater_equal(values, self.low))
        if self.high is not None:
            kept &= _known(pc.less_equal(values, self.high))
        if self.finite:
            kept &= _known(pc.invert(pc.is_inf(values)))
        return np.where(null, not self.required, kept)


@dataclass(frozen=True, slots=True)
class ContractCheck:
    """A checked batch: the rows that keep the contract, those that break it, and one reason per broken row."""

    good: pa.Table
    bad: pa.Table
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class Contract:
    """The rules of one table."""

    table: str
    rules: tuple[Rule, ...]

    def check(self, table: pa.Table, now: datetime) -> ContractCheck:
        """Split a batch into the rows that keep all rules and those that do not."""
        kept = np.ones(len(table), np.bool_)
        for rule in self.rules:
            kept &= rule.allows(table.column(rule.column).combine_chunks(), now)
        if kept.all():
            return ContractCheck(table, table.slice(0, 0), [])
        bad = table.filter(pa.array(~kept))
        return ContractCheck(table.filter(pa.array(kept)), bad, self._reasons(bad, now))

    def _reasons(self, bad: pa.Table, now: datetime) -> list[str]:
        import pandera.pandas as pandera  # noqa: PLC0415  takes seconds, and only broken rows need it

        schema = pandera.DataFrameSchema({rule.column: _pandera_column(rule, now) for rule in self.rules})
        frame = bad.select([rule.column for rule in self.rules]).to_pandas()
        reasons: list[list[str]] = [[] for _ in range(len(bad))]
        try:
            schema.validate(frame, lazy=True)
        except pandera.errors.SchemaErrors as errors:
            for case in errors.failure_cases.itertuples():
                reasons[int(case.index)].append(f"{case.column}: {case.check} ({case.failure_case})")
        return ["; ".join(sentences) or "breaks the contract" for sentences in reasons]


def _known(mask: Any) -> NDArray[np.bool_]:
    flags: NDArray[np.bool_] = mask.fill_null(False).to_numpy(zero_copy_only=False)
    return flags


def _pandera_column(rule: Rule, now: datetime) -> Any:
    import pandera.pandas as pandera  # noqa: PLC0415

    checks: list[Any] = []
    if rule.among is not None:
        checks.append(pandera.Check.isin(sorted(rule.among)))
    if rule.moment:
        checks.append(pandera.Check.in_range(EARLIEST, now + CLOCKS_APART))
    if rule.low is not None:
        checks.append(pandera.Check.ge(rule.low))
    if rule.high is not None:
        checks.append(pandera.Check.le(rule.high))
    if rule.finite:
        checks.append(pandera.Check(lambda column: ~np.isinf(column), error="is infinite"))
    return pandera.Column(nullable=not rule.required, checks=checks)


def feature_contract(view: str, schema: pa.Schema, join_keys: Sequence[str], moments: Sequence[str]) -> Contract:
    """The contract of a feature view's history: keys and moments are present, numbers are finite or missing."""
    rules = [Rule(key, required=True) for key in join_keys]
    rules += [Rule(moment, required=True, moment=True) for moment in moments]
    rules += [Rule(field.name, finite=True) for field in schema if pa.types.is_floating(field.type)]
    return Contract(view, tuple(rules))
