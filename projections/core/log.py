"""Reading the log for projections: in pieces, checked for holes, with the bodies that are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, LiteralString

from psycopg import errors

from ledger.domain.errors import IntegrityFailure
from ledger.domain.log.envelope import Recorded
from ledger.store.base import within_calendar
from projections.core.base import IN_PART, MERELY_OBSERVED, Db, Part

# The hashes are left out: `rollout verify` is what looks at them.
RECORDED: Final[LiteralString] = (
    "SELECT position, revision, schema_version, event_id, occurred_at, recorded_at, stream, type, "
    "body, ''::bytea, ''::bytea FROM ledger.event "
)
_NUL: Final = b"\\u0000"


def head(db: Db) -> int:
    """Return the last position of the log, 0 when it is empty."""
    row = db.execute("SELECT max(position) FROM ledger.event").fetchone()
    return row[0] or 0 if row is not None else 0


def recorded_at(db: Db, position: int) -> datetime:
    """Return when the event at ``position``, which must exist, was recorded."""
    row = db.execute(
        "SELECT recorded_at FROM ledger.event WHERE position = %s", (position,)
    ).fetchone()
    if row is None:
        raise missing(position)
    moment: datetime = row[0]
    return moment


def read(db: Db, part: Part) -> list[Recorded]:
    """Return the events of ``part``, without what was merely observed.

    Raises:
        IntegrityFailure: a position is missing. A hole is corruption, never "wait".
    """
    if part.shard == 0:  # the others read along the same positions
        counted = db.execute(
            "SELECT count(*) FROM ledger.event WHERE position > %s AND position <= %s",
            (part.after, part.up_to),
        ).fetchone()
        if counted is None or counted[0] != part.up_to - part.after:
            raise missing(_first_hole(db, part.after, part.up_to))
    query = RECORDED + "WHERE " + IN_PART + " AND type <> ALL (%s) ORDER BY position"
    return select(db, query, *part.values, list(MERELY_OBSERVED))


def select(db: Db, query: LiteralString, *values: object) -> list[Recorded]:
    """Return the events that ``query``, which starts with `RECORDED`, finds."""
    with db.cursor(binary=True) as cursor:
        try:
            return [Recorded(*row) for row in cursor.execute(query, values)]
        except errors.DataError:  # a row holds a time that no calendar of Python has
            bounded = within_calendar(query).encode()
            return [Recorded(*row) for row in cursor.execute(bounded, values)]


def writable(event: Recorded) -> Recorded:
    """Return ``event`` as PostgreSQL's text can hold it: a NUL in a bot's message must stop nothing."""
    if _NUL not in event.body:
        return event
    return replace(event, body=event.body.replace(_NUL, b"\\ufffd"))


def one(db: Db, where: LiteralString, *values: object) -> Recorded | None:
    """Return the event for which ``where`` holds, or None."""
    events: Sequence[Recorded] = select(db, RECORDED + where, *values)
    return events[0] if events else None


def _first_hole(db: Db, after: int, up_to: int) -> int:
    row = db.execute(
        "SELECT min(p) FROM generate_series(%s::bigint + 1, %s::bigint) AS p "
        "WHERE NOT EXISTS (SELECT FROM ledger.event WHERE position = p)",
        (after, up_to),
    ).fetchone()
    return row[0] if row is not None else after + 1


def missing(position: int) -> IntegrityFailure:
    """Return the error for a hole: it is corruption, and never to be waited for."""
    return IntegrityFailure(
        f"Position {position} is missing from the log.",
        hint="Run: rollout verify",
    )
