"""Sections that several reports have."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import Final

from ledger.domain.state import SystemState
from projections.core.base import Db
from projections.core.period import Period
from projections.reports import happened, order_figures, orders
from projections.reports.figures import of
from projections.reports.happened import Stretch
from projections.reports.order_figures import Latency
from projections.reports.order_records import PAUSED
from projections.reports.orders import Activity
from projections.reports.sheet import Cell, Section, Table, Term, facts, table, term
from projections.words.sentences import short

FEW_SAMPLES: Final = 100
"""Below this, the 99th percentile is the largest sample."""


def mode_name(mode: str | None, kind: str | None) -> str | None:
    """Return a mode with how it is paused; None: there is none."""
    return f"{mode}/{kind}" if kind else mode


def mode_of(state: SystemState) -> str | None:
    """Return the mode that the ledger knows the system to be in; None: it was never switched."""
    return mode_name(state.mode, state.pause_kind)


def modes_table(spent: list[Stretch]) -> Table:
    """Return the stretches of time by mode."""
    rows = [
        (mode_name(s.mode, s.kind), s.since, s.until, s.until - s.since, s.by, s.reason)
        for s in spent
    ]
    return table("modes", "mode from to lasted who why", rows)


def changes_table(db: Db, system: str, period: Period) -> Table:
    """Return the configuration keys that changed, with who and why; a first configuration in one row."""
    changed = happened.configuration_changes(db, system, period)
    rows: list[tuple[Cell, ...]] = []
    for _, group in groupby(changed, key=itemgetter("position")):
        keys = list(group)
        one = keys[0]
        head = (one["occurred_at"], one["actor"], one["reason"], term(f"cause.{one['cause']}"))
        what: list[tuple[Cell, ...]] = [(row["key"], row["old"], row["new"]) for row in keys]
        if one["first"]:
            what = [(term("word.first_configuration", count=len(keys)), None, None)]
        rows += [(*head, *each, short(one["fingerprint"])) for each in what]
    return table("changes", "at who why cause key old new fingerprint", rows)


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
            table(
                "by_mode",
                "mode submitted filled rejected blocked simulated",
                [_of_mode(mode, some) for mode, some in sorted(by_mode.items())],
            ),
        ),
        tuple(remarks),
    )


def _of_mode(mode: str, some: list[orders.Order]) -> tuple[Cell, ...]:
    shown_mode: Cell = term("part.orders.no_mode") if mode == "?" else mode
    names = ("submitted", "traded", "rejected", "blocked", "simulated")
    return (shown_mode, *(of(sum(getattr(order, name) for order in some)) for name in names))


def latency_section(latency: Latency) -> Section:
    """Return the percentiles, and how they come about."""
    remarks = [term("part.latency.method"), term(f"part.latency.method_{latency.method}")]
    if 0 < len(latency.samples) < FEW_SAMPLES:
        remarks.append(term("part.latency.few", samples=len(latency.samples)))
    return Section("latency", tuple(latency.figures()), remarks=tuple(remarks))


def alerts_section(db: Db, system: str, period: Period) -> Section:
    """Return the alerts that were open in the period: those that outlast it, and those that don't."""
    firings = happened.alerts(db, system, period)
    active: list[tuple[Cell, ...]] = []
    past: list[tuple[Cell, ...]] = []
    for row in firings:
        head = (row["alert"], term(f"severity.{row['severity']}"), row["fired_at"])
        if row["resolved_at"] is None or row["resolved_at"] >= period.until:
            active.append((*head, row["acknowledged_by"], row["message"]))
        else:
            how = term(f"how.{row['how']}")
            past.append((*head, row["resolved_at"], how, row["resolved_by"], row["message"]))
    fired = sum(period.holds(row["fired_at"]) for row in firings)
    return Section(
        "alerts",
        facts(active_count=of(len(active)), fired=of(fired), ended=of(len(past))),
        (
            table("active", "alert severity since acknowledged message", active),
            table("past", "alert severity since until how ended_by message", past),
        ),
    )
