"""The daily report: what a system did in a day, and what was decided about it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from ledger.domain.state import SystemState
from projections.core.base import Db
from projections.reports import happened, order_figures, orders, parts
from projections.reports.diagnosis import Finding, Limits, diagnose
from projections.reports.figures import of
from projections.reports.happened import Progress, Stretch
from projections.reports.orders import Activity
from projections.reports.period import Day, Period
from projections.reports.sheet import Cell, Section, Sheet, Term, facts, table, term

REPORT: Final = "daily"


def period_of(day: Day, now: datetime) -> Period:
    """Return the time that the report is about: of a day that is not over, what has passed of it."""
    return Period(day.period.since, min(day.period.until, now))


def sheet(
    db: Db, system: str, day: Day, limits: Limits, period: Period, progress: Progress
) -> Sheet:
    """Return the report of ``day``, of which ``period`` has passed.

    Raises:
        UnknownName: the ledger holds no such system.
    """
    state = happened.state_until(db, system, period.until)
    spent = happened.stretches(db, system, period)
    activity = orders.tally(happened.order_records(db, system, period, spent, progress))
    latency = order_figures.latency(activity)
    return Sheet(
        report=REPORT,
        named=(("day", day.date.isoformat()), ("system", system), ("zone", day.zone_name)),
        sections=(
            _diagnosis(diagnose(activity, latency, limits)),
            _evidence(day, period, activity),
            _configuration(db, system, period, state, spent),
            parts.trades_section(activity),
            parts.orders_section(activity),
            parts.latency_section(latency),
            parts.alerts_section(db, system, period),
        ),
        zone=day.zone,
    )


def _evidence(day: Day, period: Period, activity: Activity) -> Section:
    remarks: list[Term] = []
    if not activity.records:
        remarks.append(term("part.evidence.nothing"))
    if period.until < day.period.until:
        remarks.append(term("part.evidence.not_over"))
    return Section(
        "evidence",
        facts(
            zone=day.zone_name,
            since=period.since,
            until=period.until,
            records=of(activity.records.total()),
            first_record=activity.first,
            last_record=activity.last,
        ),
        remarks=tuple(remarks),
    )


def _configuration(
    db: Db, system: str, period: Period, state: SystemState | None, spent: list[Stretch]
) -> Section:
    if state is None:
        return Section("configuration", remarks=(term("part.configuration.unknown"),))
    return Section(
        "configuration",
        facts(
            environment=state.environment,
            mode_at_end=parts.mode_of(state),
            mode_since=datetime.fromisoformat(state.mode_since) if state.mode_since else None,
            mode_by=state.mode_by,
            mode_reason=state.mode_reason,
            fingerprint=state.fingerprint,
            tags=", ".join(sorted(state.tags_of(state.fingerprint))),
            profile=state.profile.name if state.profile is not None else None,
            phase=state.phase_name,
        ),
        (
            parts.modes_table(spent),
            table("limits", "key limit configured", _limits(db, state)),
            parts.changes_table(db, system, period),
        ),
        () if state.phase is not None else (term("part.configuration.no_phase"),),
    )


def _limits(db: Db, state: SystemState) -> list[tuple[Cell, ...]]:
    if state.phase is None:
        return []
    configured = happened.configured(db, state.fingerprint)
    return [(key, limit, configured.get(key)) for key, limit in sorted(state.phase.limits.items())]


def _diagnosis(findings: list[Finding]) -> Section:
    rows = [
        (
            term(f"part.diagnosis.{each.name}"), term(f"verdict.{each.verdict}"), each.measured,
            term("part.diagnosis.wrong_if", sign=each.sign,
                 limit=f"{each.limit.cell()} {each.limit.unit}".rstrip()),
            each.samples,
        )
        for each in findings
    ]  # fmt: skip
    columns = "question verdict measured threshold samples"
    return Section("diagnosis", tables=(table("findings", columns, rows),))
