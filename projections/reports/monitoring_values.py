"""What is measured, beside what the plan wants of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, TypeAlias

from ledger.domain.state import SystemState
from ledger.profiles.plan import Plan
from projections.reports.conditions import Condition
from projections.reports.figures import absent, of
from projections.reports.limits import Limit, limits_of
from projections.reports.samples import Labels, Series, Summary, summary
from projections.reports.sheet import Cell, Section, Table, rows, term

OWN: Final = "rollout_"
"""What the names of the watch's own metrics begin with."""
Found: TypeAlias = dict[tuple[str, Labels], Series]


def metrics_section(
    plan: Plan | None,
    series: Found,
    conditions: list[Condition],
    now: datetime,
    lookback: timedelta,
) -> Section:
    """Return the last value of each series, and the metrics that are wanted and have none."""
    own = [one for (metric, _), one in series.items() if not metric.startswith(OWN)]
    lines: list[tuple[Cell, ...]] = [
        (one.name, last.last, last.last_at, now - last.last_at if last.last_at else None,
         term("standing.fresh" if _is_fresh(last, now, lookback) else "standing.no_data"), of(last.samples))
        for one in own
        for last in (summary(one),)
    ]  # fmt: skip
    seen = {one.metric for one in own}
    wanted = _named(plan) | {m for each in conditions for m in each.rule.expression.metrics}
    lines += [
        (metric, absent("no_samples", metric=metric), None, None, term("standing.no_data"), of(0))
        for metric in sorted(wanted - seen)
        if not metric.startswith(OWN)
    ]
    columns = ("series", "last", "at", "age", "state", "samples")
    return Section(
        "metrics",
        (("count", of(len(seen))),),
        (Table("values", columns, rows(sorted(lines, key=_name))),),
    )


def _name(line: tuple[Cell, ...]) -> str:
    return str(line[0])


def _named(plan: Plan | None) -> set[str]:
    """Return the metrics that the plan's sources name."""
    named: set[str] = set()
    for source in plan.profile.metrics if plan else ():
        for key in ("metrics", "values", "queries"):
            named |= set(getattr(source, key, ()))
    return named


def _is_fresh(last: Summary, now: datetime, lookback: timedelta) -> bool:
    return (
        last.last_at is not None and now - last.last_at < lookback and last.last.value is not None
    )


def thresholds_section(
    state: SystemState, plan: Plan | None, series: Found, now: datetime, lookback: timedelta
) -> Section:
    """Return what the plan wants of single metrics, beside their last values."""
    phase = plan.profile.phase(state.phase.name) if plan and state.phase else None
    lines: list[tuple[Cell, ...]] = []
    for limit in limits_of(plan, phase):
        if limit.metric.startswith(OWN):
            continue  # the watch itself provides it: its rule tells how it stands
        about = [summary(one) for (metric, _), one in series.items() if metric == limit.metric]
        for last in about:
            shown = term(f"standing.{_verdict(limit, last, now, lookback)}")
            lines.append((last.series.name, limit.text, last.last, shown, limit.source))
        if not about:
            nothing = absent("no_samples", metric=limit.metric)
            lines.append(
                (limit.metric, limit.text, nothing, term("standing.no_data"), limit.source)
            )
    columns = ("series", "wanted", "last", "state", "source")
    return Section("thresholds", tables=(Table("limits", columns, rows(lines)),))


def _verdict(limit: Limit, last: Summary, now: datetime, lookback: timedelta) -> str:
    value = last.last.value
    if value is None or not _is_fresh(last, now, lookback):
        return "no_data"
    return "normal" if limit.holds(value) else "breached"
