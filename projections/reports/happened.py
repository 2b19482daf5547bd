"""What happened to a system in a time, asked of the log and the read models."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, LiteralString

import orjson

from ledger.domain.errors import BadInput
from ledger.domain.log.envelope import Recorded
from ledger.domain.log.ids import control_stream, orders_stream
from ledger.domain.state import SystemState
from ledger.domain.values.fingerprints import flatten
from ledger.domain.values.moments import shifted
from projections.core import log
from projections.core.base import Db
from projections.core.period import Period
from projections.core.rows import Row, select
from projections.models import mode_changes
from projections.queries.as_of import Moment, state_at
from projections.reports.orders import Record

AT_ONCE: Final = 2000
Progress = Callable[[int, int], None]
"""Told how many records were read, of how many."""

_OF_ORDERS: Final[LiteralString] = "WHERE stream = %s AND occurred_at >= %s AND occurred_at < %s "
_COUNT: Final[LiteralString] = "SELECT count(*) FROM ledger.event " + _OF_ORDERS  # noqa: S608 - a constant
_ORDERS: Final[LiteralString] = log.RECORDED + _OF_ORDERS + "ORDER BY occurred_at, position"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time that the system spent in one mode, as far as it lies in the period."""

    mode: str
    kind: str | None
    since: datetime
    until: datetime
    open: bool
    """Whether it goes on after the period, or goes on still."""
    by: str
    reason: str | None


def stretches(db: Db, system: str, period: Period) -> list[Stretch]:
    """Return the stretches of time by mode, oldest first, cut to the period."""
    spent: list[Stretch] = []
    for row in mode_changes.intervals(db, system):
        since = max(row["since"], period.since)
        until = min(row["until"] or period.until, period.until)
        if since < until:
            goes_on = row["until"] is None or row["until"] > period.until
            spent.append(
                Stretch(
                    row["mode"], row["kind"], since, until, goes_on, row["actor"], row["reason"]
                )
            )
    return spent


def order_records(
    db: Db, system: str, period: Period, spent: Sequence[Stretch], progress: Progress
) -> Iterator[Record]:
    """Yield the order activity of the period, oldest first, each with the mode of that moment."""
    starts = [each.since for each in spent]
    values = (orders_stream(system), period.since, period.until)
    counted = db.execute(_COUNT, values).fetchone()
    records = counted[0] if counted is not None else 0
    # On the server, in pieces: a busy day has a million of them.
    with db.transaction(), db.cursor("order_activity", binary=True) as cursor:
        cursor.itersize = AT_ONCE
        cursor.execute(_ORDERS, values)
        for number, row in enumerate(cursor, start=1):
            event = Recorded(*row)
            at = event.occurred_at
            place = bisect_right(starts, at) - 1
            mode = spent[place].mode if place >= 0 and at < spent[place].until else None
            yield Record(at, event.data["kind"], event.data["fields"], mode)
            if number % AT_ONCE == 0 or number == records:
                progress(number, records)


def configuration_changes(db: Db, system: str, period: Period) -> list[Row]:
    """Return the keys that changed, oldest first: with who, why, and the fingerprint that they led to.

    ``first`` is whether the system had no configuration before, so that all its keys are new.
    """
    query = """
        SELECT a.occurred_at, a.position, a.fingerprint, a.cause, a.actor, a.reason, c.key, c.old, c.new,
               NOT EXISTS (SELECT FROM readmodel.config_application AS e
                               WHERE e.system = a.system AND e.position < a.position) AS first
            FROM readmodel.config_application AS a
                LEFT JOIN readmodel.config_change AS c ON c.position = a.position
            WHERE a.system = %s AND a.occurred_at >= %s AND a.occurred_at < %s
            ORDER BY a.occurred_at, a.position, c.key COLLATE "C"
    """
    return select(db, query, (system, period.since, period.until))


def alerts(db: Db, system: str, period: Period) -> list[Row]:
    """Return the firings that were open at any moment of the period, oldest first."""
    query = """
        SELECT alert, severity, message, fired_at, acknowledged_by, resolved_at, how, resolved_by, position
            FROM readmodel.alert
            WHERE system = %(system)s AND fired_at < %(until)s
                AND (resolved_at IS NULL OR resolved_at >= %(since)s)
            ORDER BY fired_at, position
    """
    return select(db, query, {"system": system, "since": period.since, "until": period.until})


def told(db: Db, system: str, period: Period, *types: str) -> list[Row]:
    """Return events of these types as the timeline tells them, oldest first."""
    query = """
        SELECT position, type, occurred_at, actor, reason, sentence FROM readmodel.timeline
            WHERE system = %s AND type = ANY (%s) AND occurred_at >= %s AND occurred_at < %s
            ORDER BY occurred_at, position
    """
    return select(db, query, (system, list(types), period.since, period.until))


def first_position(db: Db, system: str, period: Period) -> int:
    """Return the first event of the period on the system's streams; 0 where there is none."""
    query = """
        SELECT min(position) FROM ledger.event
            WHERE stream = ANY (%s) AND type <> 'ReportGenerated'
                AND occurred_at >= %s AND occurred_at < %s
    """
    streams = [control_stream(system), orders_stream(system)]
    row = db.execute(query, (streams, period.since, period.until)).fetchone()
    return row[0] or 0 if row is not None else 0


def state_until(db: Db, system: str, moment: datetime) -> SystemState | None:
    """Return the system as it was just before ``moment``; None: it was not known then.

    Raises:
        UnknownName: the ledger holds no such system.
    """
    last = shifted(moment, -timedelta(microseconds=1))
    try:
        return state_at(db, system, Moment(time=last))
    except BadInput:
        return None


def configured(db: Db, fingerprint: str | None) -> dict[str, str]:
    """Return what a configuration says: key path -> canonical JSON text."""
    content = blob(db, fingerprint) if fingerprint is not None else None
    return flatten(orjson.loads(content)) if content is not None else {}


def blob(db: Db, fingerprint: str) -> bytes | None:
    """Return the bytes under a fingerprint: a configuration's canonical form, or a plan."""
    query = "SELECT bytes FROM ledger.blob WHERE sha256 = decode(%s, 'hex')"
    row = db.execute(query, (fingerprint.removeprefix("sha256:"),)).fetchone()
    return row[0] if row is not None else None
