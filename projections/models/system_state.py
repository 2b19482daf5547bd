"""The present state of every system, and snapshots of the past ones.

`rollout at` folds from the nearest snapshot, so that any moment costs at most a few hundred events.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

from ledger.domain.evolve import evolve, fold
from ledger.domain.log.envelope import Recorded
from ledger.domain.log.ids import control_stream
from ledger.domain.log.unreadable import POISON, require_readable, stand_in
from ledger.domain.state import SystemState, decode, encode, is_whole
from ledger.fold_version import fold_version
from projections.core import log
from projections.core.base import Db, Part, Projection, Step
from projections.core.rows import Added

SNAPSHOT_EVERY: Final = 500
"""Revisions from one snapshot to the next."""
STREAM_PREFIX: Final = "system:"


class _Live:
    """A system's state while its events are being applied."""

    __slots__ = ("block_occurred_min", "changed", "occurred_max", "state")

    def __init__(
        self,
        state: SystemState,
        occurred_max: datetime | None = None,
        block_occurred_min: datetime | None = None,
    ) -> None:
        self.state = state
        self.occurred_max = occurred_max
        self.block_occurred_min = block_occurred_min
        """The earliest time since the last snapshot: imported history may lie far back (I13)."""
        self.changed = False


class SystemStates(Projection):
    """Folds control streams. The other projections see each event's state before and after."""

    name = "system_state"
    version = fold_version()
    tables = ("system_state", "system_snapshot")
    definition = """
        CREATE TABLE system_state (
            system              text         NOT NULL,
            revision            bigint       NOT NULL,
            position            bigint       NOT NULL,
            occurred_max        timestamptz  NOT NULL,
            block_occurred_min  timestamptz,
            state               text         NOT NULL,
            CONSTRAINT system_state_pk PRIMARY KEY (system)
        );
        COMMENT ON TABLE system_state IS 'Present state of every system, as JSON; for a start of folding.';
        CREATE TABLE system_snapshot (
            system              text         NOT NULL,
            revision            bigint       NOT NULL,
            position            bigint       NOT NULL,
            recorded_at         timestamptz  NOT NULL,
            occurred_max        timestamptz  NOT NULL,
            block_occurred_min  timestamptz  NOT NULL,
            state               text         NOT NULL,
            CONSTRAINT system_snapshot_pk PRIMARY KEY (system, revision)
        );
        COMMENT ON TABLE system_snapshot IS 'State of a system every 500 revisions, to fold on from.';
    """
    types: ClassVar[frozenset[str] | None] = frozenset()

    def __init__(self) -> None:
        self._live: dict[str, _Live] = {}
        self._states, self._snapshots = map(Added, self.tables)

    def prepare(self, db: Db, events: Sequence[Recorded]) -> None:
        """Fetch the states that ``events`` go on from."""
        wanted = {
            e.stream.removeprefix(STREAM_PREFIX)
            for e in events
            if e.stream.startswith(STREAM_PREFIX)
        }
        wanted -= self._live.keys()
        if not wanted:
            return
        query = (
            "SELECT system, state, occurred_max, block_occurred_min FROM system_state "
            "WHERE system = ANY (%s)"
        )
        for system, state, occurred_max, block_occurred_min in db.execute(query, (list(wanted),)):
            self._live[system] = _Live(decode(state), occurred_max, block_occurred_min)

    def step(self, event: Recorded) -> Step:
        """Fold one event in, and return it with the states before and after."""
        if not event.stream.startswith(STREAM_PREFIX):
            return _step(event, None, None)
        system = event.stream.removeprefix(STREAM_PREFIX)
        live = self._live.get(system)
        if live is None:
            live = self._live[system] = _Live(SystemState(system))
        before = live.state
        live.state = after = evolve(before, event)
        live.changed = True
        occurred = event.occurred_at
        if live.occurred_max is None or occurred > live.occurred_max:
            live.occurred_max = occurred
        if live.block_occurred_min is None or occurred < live.block_occurred_min:
            live.block_occurred_min = occurred
        if event.revision % SNAPSHOT_EVERY == 0:
            self._snapshots.add(
                (
                    system, event.revision, event.position, event.recorded_at, live.occurred_max,
                    live.block_occurred_min, _dumped(after),
                )
            )  # fmt: skip
            live.block_occurred_min = None
        return _step(event, before, after)

    def apply(self, step: Step) -> None:
        """Nothing: `step` has done it."""

    def write(self, db: Db, part: Part) -> None:
        """Write the snapshots; the present states only where readers will see them."""
        self._snapshots.write(db)
        if not part.last:
            return
        changed = [live for live in self._live.values() if live.changed]
        for live in changed:
            if not is_whole(live.state):  # an event said something of another type than it promised
                live.state = _folded_strictly(db, live.state)
        names = [live.state.system for live in changed]
        db.execute("DELETE FROM system_state WHERE system = ANY (%s)", (names,))
        self._states.stream(db, map(_present, changed))
        for live in changed:
            live.changed = False


def _step(event: Recorded, before: SystemState | None, after: SystemState | None) -> Step:
    """Return the step of an event, or of what stands in for it where it can't be read."""
    try:
        require_readable(event)
        return Step(log.writable(event), before, after)
    except POISON as problem:
        return Step(stand_in(event, problem), before, after)


def _folded_strictly(db: Db, state: SystemState) -> SystemState:
    """Return the state of all in its stream that is what its type promises, up to its revision."""
    from ledger.domain.corrections.sound import sound  # loads a model for every type of event

    query = log.RECORDED + "WHERE stream = %s AND revision <= %s ORDER BY revision"
    events = log.select(db, query, control_stream(state.system), state.revision)
    return fold(map(sound, events), SystemState(state.system))


def _present(live: _Live) -> tuple[Any, ...]:
    state = live.state
    return (
        state.system, state.revision, state.position, live.occurred_max, live.block_occurred_min,
        _dumped(state),
    )  # fmt: skip


def _dumped(state: SystemState) -> str:
    return encode(state).decode()
