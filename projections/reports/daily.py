"""The daily report: what a system did in a day, and what was decided about it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Final

from ledger.domain.state import SystemState
from projections.base import Db
from projections.reports import happened, order_figures, orders
from projections.reports.diagnosis import Finding, Limits, diagnose
from projections.reports.figures import Figure, of
from projections.reports.happened import Progress, Stretch
from projections.reports.order_figures import Latency
from projections.reports.orders import Activity
from projections.reports.period import Day, Period
from projections.reports.sheet import Cell, Section, Sheet, Table, facts, rows, term

REPORT: Final = "daily"
FEW_SAMPLES: Final = 100
"""Below this, the 99th percentile is the largest sample."""


def sheet(
    db: Db, system: str, day: Day, limits: Limits, *, up_to: int, now: datetime, progress: Progress
) -> Sheet:
    """Return the report of ``day``, from what the log holds up to position ``up_to``.

    Raises:
        UnknownName: the ledger holds no such system.
    """
    # A day that is not over is told as far as it has come.
    period = Period(day.period.since, min(day.period.until, now))
    state = happened.state_until(db, system, period.until)
    spent = happened.stretches(db, system, period)
    activity = orders.tally(happened.order_records(db, system, period, up_to, spent, progress))
    latency = order_figures.latency(activity)
    return Sheet(
        report=REPORT,
        named=(("day", day.date.isoformat()), ("system", system), ("zone", day.zone_name)),
        sections=(
            _evidence(day, period, activity),
            _configuration(db, system, period, state, spent),
            Section("trades", facts=tuple(order_figures.trade_figures(activity))),
            _orders(activity),
            _latency(latency),
            _alerts(db, system, period),
            _diagnosis(diagnose(activity, latency, limits)),
        ),
        zone=day.zone,
    )


def _evidence(day: Day, period: Period, activity: Activity) -> Section:
    remarks = []
    if not activity.records:
        remarks.append(term("daily.evidence.nothing"))
    if period.until < day.period.until:
        remarks.append(term("daily.evidence.not_over"))
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
        return Section("configuration", remarks=(term("daily.configuration.unknown"),))
    tags = [tag for tag, name in state.tags.items() if name == state.fingerprint]
    return Section(
        "configuration",
        facts(
            environment=(state.registration or {}).get("environment"),
            mode=mode_name(state),
            mode_since=datetime.fromisoformat(state.mode_since) if state.mode_since else None,
            mode_by=state.mode_by,
            mode_reason=state.mode_reason,
            fingerprint=state.fingerprint,
            tags=", ".join(sorted(tags)),
            profile=state.profile["name"] if state.profile else None,
            phase=state.phase["name"] if state.phase else None,
        ),
        (
            modes_table(spent),
            Table("limits", ("key", "limit", "configured"), _limits(db, state)),
            changes_table(db, system, period),
        ),
    )


def mode_name(state: SystemState) -> str | None:
    """Return the mode that the ledger knows the system to be in; None: it was never switched."""
    return f"{state.mode}/{state.pause_kind}" if state.pause_kind else state.mode


def modes_table(spent: list[Stretch]) -> Table:
    """Return the stretches of time by mode."""
    columns = ("mode", "from", "to", "lasted", "who", "why")
    return Table(
        "modes",
        columns,
        rows([(s.name, s.since, s.until, s.until - s.since, s.by, s.reason) for s in spent]),
    )


def changes_table(db: Db, system: str, period: Period) -> Table:
    """Return the configuration keys that changed, with who and why."""
    columns = ("at", "who", "why", "cause", "key", "old", "new", "fingerprint")
    return Table(
        "changes",
        columns,
        rows(
            [
                (row["occurred_at"], row["actor"], row["reason"], term(f"cause.{row['cause']}"),
                 row["key"], row["old"], row["new"], row["fingerprint"])
                for row in happened.configuration_changes(db, system, period)
            ]
        ),
    )  # fmt: skip


def _limits(db: Db, state: SystemState) -> tuple[tuple[Cell, ...], ...]:
    limits = (state.phase or {}).get("limits", {})
    said = happened.configured(db, state.fingerprint) if limits else {}
    return rows([(key, limit, said.get(key)) for key, limit in sorted(limits.items())])


def _orders(activity: Activity) -> Section:
    by_mode: dict[str, list[orders.Order]] = {}
    for order in activity.orders:
        by_mode.setdefault(order.mode or "?", []).append(order)
    remarks = []
    if activity.unknown_words:
        remarks.append(term("daily.orders.not_understood", words=", ".join(activity.unknown_words)))
    if any(order.paused for order in activity.submitted):
        remarks.append(term("daily.orders.paused_left_out"))
    return Section(
        "orders",
        tuple(order_figures.order_figures(activity)),
        (
            Table(
                "by_mode",
                ("mode", "submitted", "filled", "rejected", "blocked", "simulated"),
                rows([_of_mode(mode, some) for mode, some in sorted(by_mode.items())]),
            ),
        ),
        tuple(remarks),
    )


def _of_mode(mode: str, some: list[orders.Order]) -> tuple[Cell, ...]:
    counted = Counter(
        name
        for order in some
        for name in ("submitted", "traded", "rejected", "blocked", "simulated")
        if getattr(order, name)
    )
    shown_mode: Cell = term("daily.orders.no_mode") if mode == "?" else mode
    names = ("submitted", "traded", "rejected", "blocked", "simulated")
    return (shown_mode, *(of(counted[name]) for name in names))


def _latency(latency: Latency) -> Section:
    remarks = [term("daily.latency.method"), term(f"daily.latency.method_{latency.method}")]
    if 0 < len(latency.samples) < FEW_SAMPLES:
        remarks.append(term("daily.latency.few", samples=len(latency.samples)))
    return Section("latency", tuple(latency.figures()), remarks=tuple(remarks))


def _alerts(db: Db, system: str, period: Period) -> Section:
    firings = happened.alerts(db, system, period)
    active = [row for row in firings if not _ended(row, period)]
    past = [row for row in firings if _ended(row, period)]
    fired = sum(period.holds(row["fired_at"]) for row in firings)
    return Section(
        "alerts",
        facts(active_count=of(len(active)), fired=of(fired), ended=of(len(past))),
        (
            Table(
                "active",
                ("alert", "severity", "since", "acknowledged", "message"),
                rows([
                    (row["alert"], term(f"severity.{row['severity']}"), row["fired_at"],
                     row["acknowledged_by"], row["message"])
                    for row in active
                ]),
            ),
            Table(
                "past",
                ("alert", "severity", "since", "until", "how", "ended_by", "message"),
                rows([
                    (row["alert"], term(f"severity.{row['severity']}"), row["fired_at"],
                     row["resolved_at"], term(f"how.{row['how']}"), row["resolved_by"], row["message"])
                    for row in past
                ]),
            ),
        ),
    )  # fmt: skip


def _ended(row: dict[str, object], period: Period) -> bool:
    until = row["resolved_at"]
    return isinstance(until, datetime) and until < period.until


def _diagnosis(findings: list[Finding]) -> Section:
    def line(finding: Finding) -> tuple[Cell, ...]:
        limit = term("daily.diagnosis.wrong_if", sign=finding.sign, limit=_plain(finding.limit))
        return (
            term(f"daily.diagnosis.{finding.name}"), term(f"verdict.{finding.verdict}"),
            finding.measured, limit, finding.samples,
        )  # fmt: skip

    columns = ("question", "verdict", "measured", "threshold", "samples")
    return Section(
        "diagnosis", tables=(Table("findings", columns, rows([line(f) for f in findings])),)
    )


def _plain(figure: Figure) -> str:
    return f"{figure.cell()} {figure.unit}".rstrip()
