"""Contracts: what a row must be like to enter the lake.

A contract is declared once, column by column. Every batch is judged by a few vector operations, microseconds a column;
pandera, which takes a hundred times as long, is only asked about rows that were found wanting, and says why.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
CLOCKS_APART = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rule:
    """What values of one column may be; a null is judged by `required` alone.

    `low` and `high` are inclusive, and rule out NaN; `finite` rules out infinities only, since a missing number may
    come as null or as NaN; `moment`: not before EARLIEST, and not further ahead than clocks are apart.
    """

    column: str
    required: bool = False
    low: float | None = None
    high: float | None = None
    among: frozenset[str] | None = None
    finite: bool = False
    moment: bool = False

    def allows(self, values: Any, now: datetime) -> NDArray[np.bool_]:
        """Which of a column's values keep the rule."""
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
class Judgement:
    """A batch, parted: what may enter, what may not, and why not, a sentence a row."""

    good: pa.Table
    bad: pa.Table
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class Contract:
    """The rules of one table."""

    table: str
    rules: tuple[Rule, ...]

    def judge(self, table: pa.Table, now: datetime) -> Judgement:
        """Part a batch into what keeps all rules and what does not."""
        kept = np.ones(len(table), np.bool_)
        for rule in self.rules:
            kept &= rule.allows(table.column(rule.column).combine_chunks(), now)
        if kept.all():
            return Judgement(table, table.slice(0, 0), [])
        bad = table.filter(pa.array(~kept))
        return Judgement(table.filter(pa.array(kept)), bad, self._reasons(bad, now))

    def _reasons(self, bad: pa.Table, now: datetime) -> list[str]:
        import pandera.pandas as pandera  # noqa: PLC0415  seconds, and only where something is wrong

        schema = pandera.DataFrameSchema({rule.column: _pandera_column(rule, now) for rule in self.rules})
        frame = bad.select([rule.column for rule in self.rules]).to_pandas()
        said: list[list[str]] = [[] for _ in range(len(bad))]
        try:
            schema.validate(frame, lazy=True)
        except pandera.errors.SchemaErrors as errors:
            for case in errors.failure_cases.itertuples():
                said[int(case.index)].append(f"{case.column}: {case.check} ({case.failure_case})")
        return ["; ".join(sentences) or "not as the contract has it" for sentences in said]


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
    """The contract of a feature view's history: keys and moments are there, numbers are finite or missing."""
    rules = [Rule(key, required=True) for key in join_keys]
    rules += [Rule(moment, required=True, moment=True) for moment in moments]
    rules += [Rule(field.name, finite=True) for field in schema if pa.types.is_floating(field.type)]
    return Contract(view, tuple(rules))
