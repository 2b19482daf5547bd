"""The state of a system as of any moment: folded from the nearest snapshot, a few hundred events on.

Three ways to say when. By *position* and by *recorded* time: what the ledger knew then. By *occurred*
time: what had happened by then, as far as the ledger knows today, imported history included (I13).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, LiteralString

from ledger.domain.errors import BadInput, UnknownSystem
from ledger.domain.evolve import fold
from ledger.domain.log.ids import control_stream
from ledger.domain.state import SystemState, decode
from projections.core import log
from projections.core.base import Db

Clock = Literal["occurred", "recorded"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A position of the log, or a time by one of the two clocks."""

    position: int | None = None
    time: datetime | None = None
    clock: Clock = "occurred"


def state_at(db: Db, system: str, moment: Moment) -> SystemState:
    """Return the state of ``system`` as of ``moment``; the read model must have caught up.

    Raises:
        UnknownSystem: the ledger holds no such system.
        BadInput: the system was not there yet, or the position is beyond the log.
    """
    state = _state_at(db, system, moment)
    if state.revision == 0:
        raise _not_there_yet(db, system)
    return state


def _state_at(db: Db, system: str, moment: Moment) -> SystemState:
    if moment.position is not None:
        if moment.position > (head := log.head(db)):
            raise BadInput(f"The log ends at #{head}; there is no #{moment.position}.")
        return _by_log_order(db, system, "position", moment.position)
    if moment.clock == "recorded":
        return _by_log_order(db, system, "recorded_at", moment.time)
    return _by_occurred(db, system, moment.time)


def _by_log_order(
    db: Db, system: str, column: Literal["position", "recorded_at"], limit: object
) -> SystemState:
    """Fold what stands in the log up to ``limit``; both columns only ever grow."""
    condition: LiteralString = "position <= %s " if column == "position" else "recorded_at <= %s "
    start = _nearest(db, system, condition, limit)
    up_to = db.execute(
        "SELECT min(revision) FROM readmodel.system_snapshot WHERE system = %s AND revision > %s",
        (system, start.revision),
    ).fetchone()
    events = log.select(
        db,
        log.RECORDED
        + "WHERE stream = %s AND revision > %s AND revision <= coalesce(%s, 9223372036854775807) AND "
        + condition
        + "ORDER BY revision",
        control_stream(system),
        start.revision,
        up_to[0] if up_to else None,
        limit,
    )
    return fold(events, start)


def _by_occurred(db: Db, system: str, limit: datetime | None) -> SystemState:
    """Fold what had occurred by ``limit``, leaving out the blocks of revisions that are all later."""
    state = _nearest(db, system, "occurred_max <= %s ", limit)
    for after, up_to in _blocks(db, system, state.revision, limit):
        query = (
            log.RECORDED
            + "WHERE stream = %s AND revision > %s AND revision <= %s AND occurred_at <= %s "
            "ORDER BY revision"
        )
        state = fold(log.select(db, query, control_stream(system), after, up_to, limit), state)
    return state


def _blocks(db: Db, system: str, after: int, limit: datetime | None) -> Iterator[tuple[int, int]]:
    """Yield the runs of revisions, from snapshot to snapshot, in which something occurred by ``limit``."""
    query = (
        "SELECT revision, block_occurred_min <= %(limit)s FROM readmodel.system_snapshot "
        "WHERE system = %(system)s AND revision > %(after)s "
        "UNION ALL SELECT revision, block_occurred_min <= %(limit)s FROM readmodel.system_state "
        "WHERE system = %(system)s ORDER BY revision"
    )
    values = {"system": system, "after": after, "limit": limit}
    for revision, wanted in db.execute(query, values).fetchall():
        if wanted:
            yield after, revision
        after = revision


def _nearest(db: Db, system: str, condition: LiteralString, limit: object) -> SystemState:
    """Return the last snapshot for which ``condition`` holds, to fold on from; else an empty state."""
    query = "SELECT state FROM readmodel.system_snapshot WHERE system = %s AND "
    last = "ORDER BY revision DESC LIMIT 1"
    row = db.execute(query + condition + last, (system, limit)).fetchone()
    return decode(row[0]) if row is not None else SystemState(system)


def _not_there_yet(db: Db, system: str) -> UnknownSystem | BadInput:
    first = log.one(db, "WHERE stream = %s AND revision = 1", control_stream(system))
    if first is None:
        return UnknownSystem(system)
    return BadInput(
        f"{system} was not there yet.",
        hint=f"Its first event is #{first.position}, of {first.occurred_at:%Y-%m-%d %H:%M:%SZ}.",
    )
