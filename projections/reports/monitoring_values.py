"""What is measured, beside what the plan wants of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, TypeAlias

from ledger.domain.state import SystemState
from ledger.profiles.plan import Plan
from projections.reports.conditions import Condition
from projections.reports.figures import absent, of
from projections.reports.limits import limits_of
from projections.reports.monitoring import thresholds
from projections.reports.samples import Labels, Series, Summary, summary
from projections.reports.sheet import Cell, Section, table, term

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
    lines.sort(key=lambda line: str(line[0]))
    columns = "series last at age state samples"
    return Section("metrics", (("count", of(len(seen))),), (table("values", columns, lines),))


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
    # What the watch itself provides is left out: its rule tells how it stands.
    limits = [each for each in limits_of(plan, phase) if not each.metric.startswith(OWN)]
    lines: list[tuple[Cell, ...]] = []
    for one in thresholds(limits, [summary(one) for one in series.values()]):
        fresh = one.at is not None and one.holds is not None and now - one.at < lookback
        standing = "no_data" if not fresh else "normal" if one.holds else "breached"
        shown = term(f"standing.{standing}")
        lines.append((one.series, one.limit.text, one.newest, shown, one.limit.source))
    columns = "series wanted last state source"
    return Section("thresholds", tables=(table("limits", columns, lines),))
