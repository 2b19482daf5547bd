"""Sections that several reports have."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Final

from ledger.domain.state import SystemState
from projections.core.base import Db
from projections.reports import happened, order_figures, orders
from projections.reports.figures import of
from projections.reports.happened import Stretch
from projections.reports.order_figures import Latency
from projections.reports.order_records import PAUSED
from projections.reports.orders import Activity
from projections.reports.period import Period
from projections.reports.sheet import Cell, Section, Table, Term, facts, rows, term
from projections.words.sentences import short

FEW_SAMPLES: Final = 100
"""Below this, the 99th percentile is the largest sample."""


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
    """Return the configuration keys that changed, with who and why; a first configuration in one row."""
    columns = ("at", "who", "why", "cause", "key", "old", "new", "fingerprint")
    changed = happened.configuration_changes(db, system, period)
    found: list[tuple[Cell, ...]] = []
    for _, group in groupby(changed, key=itemgetter("position")):
        keys = list(group)
        one = keys[0]
        head = (one["occurred_at"], one["actor"], one["reason"], term(f"cause.{one['cause']}"))
        what: list[tuple[Cell, ...]] = [(row["key"], row["old"], row["new"]) for row in keys]
        if one["first"]:
            what = [(term("word.first_configuration", count=len(keys)), None, None)]
        found += [(*head, *each, short(one["fingerprint"])) for each in what]
    return Table("changes", columns, rows(found))


def trades_section(activity: Activity) -> Section:
    """Return trades, win rate, realised and expected profit and loss."""
    return Section("trades", tuple(order_figures.trade_figures(activity)))


def orders_section(activity: Activity) -> Section:
    """Return what became of the orders."""
    by_mode: dict[str, list[orders.Order]] = {}
    for order in activity.orders:
        by_mode.setdefault(order.mode or "?", []).append(order)
    remarks: list[Term] = []
    if activity.unknown_words:
        remarks.append(term("part.orders.not_understood", words=", ".join(activity.unknown_words)))
    if any(order.paused for order in activity.submitted):
        remarks.append(term("part.orders.paused_left_out"))
    filled = sum(order.mode == PAUSED for order in activity.trades)
    if filled:
        remarks.append(term("part.orders.filled_in_pause", count=filled))
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
    shown_mode: Cell = term("part.orders.no_mode") if mode == "?" else mode
    names = ("submitted", "traded", "rejected", "blocked", "simulated")
    return (shown_mode, *(of(counted[name]) for name in names))


def latency_section(latency: Latency) -> Section:
    """Return the percentiles, and how they come about."""
    remarks = [term("part.latency.method"), term(f"part.latency.method_{latency.method}")]
    if 0 < len(latency.samples) < FEW_SAMPLES:
        remarks.append(term("part.latency.few", samples=len(latency.samples)))
    return Section("latency", tuple(latency.figures()), remarks=tuple(remarks))


def alerts_section(db: Db, system: str, period: Period) -> Section:
    """Return the alerts that were open in the period: those that outlast it, and those that don't."""
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
