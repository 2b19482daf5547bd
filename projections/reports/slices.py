"""Slice by slice: what each measured, which passed, and which is best and worst. All of it derived."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal

from ledger.alerts.promql import Expression, Moment, compile_expression
from ledger.alerts.series import SeriesStore
from ledger.alerts.vectors import EvaluationError
from ledger.profiles.phases import Phase
from ledger.profiles.plan import Plan
from projections.reports.limits import Limit, limit_for
from projections.reports.samples import Labels, Series, Summary, observed_seconds, summary

Result = Literal["pass", "fail", "inconclusive", "not_judged", "no_data"]
WORST_FIRST: Final[tuple[Result, ...]] = ("fail", "no_data", "inconclusive", "not_judged", "pass")
BY_NAME: Final = re.compile(r"slice_auc_(?P<slice>[a-z0-9]+)(?:_period)?")
"""Systems that put the slice into the metric's name: slice_auc_tokyo, slice_auc_active_period."""
LOOKS_MAX: Final = 3000
EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Slice:
    """One metric of one slice."""

    name: str
    metric: str
    summary: Summary | None
    """None: nothing was recorded of it."""
    result: Result
    judges: tuple[str, ...]
    """The criteria and rules that speak of it."""
    failed: tuple[str, ...]
    observed: int
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Compared:
    """All slices."""

    rows: tuple[Slice, ...]
    metric: str | None
    """The metric by which they are compared: the one that most slices have."""
    best: Slice | None
    worst: Slice | None

    @property
    def results(self) -> dict[str, Result]:
        """Return slice -> the worst of its results."""
        worst: dict[str, Result] = {}
        for row in self.rows:
            before: Result = worst.get(row.name, "pass")
            both: tuple[Result, Result] = (before, row.result)
            worst[row.name] = min(both, key=WORST_FIRST.index)
        return worst

    @property
    def passed(self) -> int:
        """Return how many slices passed."""
        return list(self.results.values()).count("pass")

    def delta(self, row: Slice) -> Decimal | None:
        """Return how far the mean of ``row`` is from that of the best slice; None where that says nothing."""
        if self.best is None or not row.metric or _family(row.metric) != self.metric:
            return None
        best, own = _mean(self.best), _mean(row)
        return None if best is None or own is None else own - best


def compared(
    series: Mapping[tuple[str, Labels], Series],
    store: SeriesStore,
    plan: Plan | None,
    phase: Phase | None,
    limits: list[Limit],
    wanted: Iterable[str],
    since: datetime,
    until: datetime,
) -> Compared:
    """Return what was recorded of slices in [since, until]; ``wanted`` are those that the phase names."""
    failed, judged = _judge(store, plan, phase, since, until)
    needed = phase.min_duration if phase is not None else timedelta(0)
    rows: list[Slice] = []
    for one in series.values():
        name = slice_of(one.metric, one.labels)
        if name is None:
            continue
        key = (name, one.metric)
        observed = observed_seconds([sample.at for sample in one.samples], since, until)
        result: Result = "pass"
        if failed.get(key):
            result = "fail"
        elif not judged.get(key):
            result = "not_judged"
        elif observed < needed.total_seconds():
            result = "inconclusive"
        rows.append(
            Slice(
                name, one.metric, summary(one), result,
                tuple(sorted(judged.get(key, ()))), tuple(sorted(failed.get(key, ()))), observed,
            )
        )  # fmt: skip
    recorded = {row.name for row in rows}
    rows += [Slice(name, "", None, "no_data", (), (), 0) for name in wanted if name not in recorded]
    return _ranked(rows, limits)


def slice_of(metric: str, labels: Labels) -> str | None:
    """Return the slice that a series is about: its label ``slice``, or what its name says."""
    for name, value in labels:
        if name == "slice":
            return value
    named = BY_NAME.fullmatch(metric)
    return named["slice"] if named is not None else None


def _ranked(rows: list[Slice], limits: list[Limit]) -> Compared:
    counts: dict[str, int] = {}
    for row in rows:
        if row.summary is not None:
            family = _family(row.metric)
            counts[family] = counts.get(family, 0) + 1
    family = min(counts, key=lambda name: (-counts[name], name), default=None)
    ranked = [row for row in rows if _family(row.metric) == family and _mean(row) is not None]
    ways = {
        limit.more_is_better
        for limit in limits
        if any(limit.metric == row.metric for row in ranked)
    }
    if not ranked or ways not in ({True}, {False}):
        return Compared(tuple(rows), family, None, None)
    ordered = sorted(ranked, key=lambda row: (_mean(row) or Decimal(0), row.name))
    best, worst = (ordered[-1], ordered[0]) if ways == {True} else (ordered[0], ordered[-1])
    return Compared(tuple(rows), family, best, worst)


def _family(metric: str) -> str:
    return "slice_auc" if BY_NAME.fullmatch(metric) else metric


def _mean(row: Slice) -> Decimal | None:
    return row.summary.mean.value if row.summary is not None else None


_Found = dict[tuple[str, str], set[str]]


def _judge(
    store: SeriesStore, plan: Plan | None, phase: Phase | None, since: datetime, until: datetime
) -> tuple[_Found, _Found]:
    """Return by (slice, metric) which criteria and rules failed, and which could be judged at all."""
    failed: _Found = {}
    judged: _Found = {}
    for criterion in phase.success if phase is not None else ():
        if criterion.expr is not None:
            expression = compile_expression(criterion.expr)
            outcome = _outcomes(expression, store, since, until, criterion.every)
            for key, held in outcome.items():
                judged.setdefault(key, set()).add(criterion.name)
                if held.count(False) > criterion.failures_allowed:
                    failed.setdefault(key, set()).add(criterion.name)
    for file in plan.rule_files if plan is not None else ():
        for rule in file.rules:
            outcome = _outcomes(rule.expression, store, since, until, EVERY)
            looks = int(rule.for_ / _every(since, until, EVERY)) + 1
            for key, held in outcome.items():
                judged.setdefault(key, set()).add(rule.name)
                if _longest(held) >= looks:
                    failed.setdefault(key, set()).add(rule.name)
    return failed, judged


def _outcomes(
    expression: Expression, store: SeriesStore, since: datetime, until: datetime, every: timedelta
) -> dict[tuple[str, str], list[bool]]:
    """Return by (slice, metric) whether the expression held, look by look; looks without data left out."""
    if len(expression.metrics) != 1:
        return {}
    (metric,) = expression.metrics
    if not any(slice_of(metric, one.labels) for one in store.select(metric)):
        return {}
    outcomes: dict[tuple[str, str], list[bool]] = {}
    step = _every(since, until, every)
    for number in range(int((until - since) / step) + 1):
        at = (until - number * step).timestamp()
        try:
            vector = expression.evaluate(Moment(store, at))
        except EvaluationError:
            continue
        for labels, element in vector.items():
            name = slice_of(metric, labels)
            if name is not None and (element.holds or element.known):
                outcomes.setdefault((name, metric), []).append(element.holds)
    return outcomes


def _every(since: datetime, until: datetime, every: timedelta) -> timedelta:
    """Return ``every``, or as much more as keeps the looks within bounds."""
    return max(every, (until - since) / LOOKS_MAX, timedelta(seconds=1))


def _longest(held: list[bool]) -> int:
    longest = here = 0
    for holds in held:
        here = here + 1 if holds else 0
        longest = max(longest, here)
    return longest


def target_text(row: Slice, limits: list[Limit]) -> str:
    """Return what is asked of the row's metric: ``≥ 0.58 (auc-active)``."""
    limit = limit_for(limits, row.metric)
    return f"{limit.text} ({limit.source})" if limit is not None else ""
