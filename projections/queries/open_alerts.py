"""What alerts have open: those that fire and what is known of them, what is pending, what is not seen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from ledger.alerts.muting import flags
from ledger.domain.state import SystemState, decode
from projections.core.base import Db
from projections.models import alerts

Json = dict[str, Any]
UNSEEN: Final = "what it guards is not seen"


def open_alerts(db: Db, now: datetime, system: str | None = None) -> list[Json]:
    """Return a row for whatever is open, of one system or of all: those that fire come last.

    ``status`` is no_data, failing, pending, firing or acknowledged, and has been for ``open_seconds``;
    ``flags`` are sentences' pieces on who looks after it, what keeps people from being told, who could not
    be, and whether its rule could not act.
    """
    rows = db.execute(
        "SELECT system, state FROM readmodel.system_state "
        'WHERE %(system)s::text IS NULL OR system = %(system)s ORDER BY system COLLATE "C"',
        {"system": system},
    )
    states = {name: decode(state) for name, state in rows}
    unsettled: list[Json] = [
        {**row, "flags": flags(state, row["alert"], now)} if row["status"] == "pending" else row
        for state in states.values()
        for row in unfired(state)
    ]
    firing = [
        {**row, "flags": flags(states[row["system"]], row["alert"], now)}
        for row in alerts.list_alerts(db, system)
    ]
    return [
        {**row, "open_seconds": max(int((now - row["since"]).total_seconds()), 0)}
        for row in unsettled + firing
    ]


def unfired(state: SystemState) -> Iterator[Json]:
    """Yield what does not fire and is to be known all the same."""
    for name, since in state.no_data.items():
        if name not in state.pending and name not in state.alerts:
            yield _row(state, name, "no_data", since, UNSEEN)
    for name, failure in state.failing.items():
        yield _row(state, name, "failing", failure.since, failure.explanation)
    for name, alert in state.pending.items():
        row = _row(state, name, "pending", alert.active_since, "its condition holds")
        yield row | {"severity": alert.severity, "labels": dict(alert.labels)}


def _row(state: SystemState, alert: str, status: str, since: str, message: str) -> Json:
    moment = datetime.fromisoformat(since)
    return {
        "system": state.system, "alert": alert, "severity": None, "status": status,
        "message": message, "fired_at": None, "since": moment, "flags": [],
    }  # fmt: skip
