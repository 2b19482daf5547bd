"""What still works while Postgres is away: what reduces exposure. Journalled here, appended later (I5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import orjson

from ledger import fail_points
from ledger.domain import events
from ledger.domain.decisions import modes
from ledger.domain.envelope import NewEvent
from ledger.domain.errors import LedgerError, LedgerUnreachable, UnknownName
from ledger.domain.events.base import Event
from ledger.domain.ids import control_stream, uuid7
from ledger.domain.modes import Mode, PauseKind, full_kind
from ledger.domain.state import SystemState
from ledger.service.context import Ledger
from ledger.service.recorder import Origin, within
from ledger.service.switching import SwitchResult, act, begin
from ledger.service.world import world_of
from ledger.store.spool import Spool

if TYPE_CHECKING:
    from ledger.service.applying import ApplyResult


def pause(
    ledger: Ledger,
    system: str,
    kind: PauseKind,
    origin: Origin,
    *,
    by_hand: events.Actuators | None = None,
    unreachable: LedgerUnreachable | None = None,
) -> SwitchResult:
    """Pause ``system``: through the ledger if it answers, without it otherwise.

    ``by_hand`` names the actuators when nobody here remembers the system's own; ``unreachable`` says
    that the ledger is known to be away.

    Raises:
        LedgerUnreachable: the ledger is away, and nobody here knows how to reach the system.
        UnknownName: there is no such system.
    """
    with ledger.pausing(system):
        if unreachable is None:
            try:
                return begin(ledger, system, Mode.PAUSED, kind, origin, by_hand=by_hand)
            except LedgerUnreachable as problem:
                unreachable = problem
        return _pause_without_ledger(ledger, system, kind, origin, by_hand, unreachable)


def _pause_without_ledger(
    ledger: Ledger,
    system: str,
    kind: PauseKind,
    origin: Origin,
    by_hand: events.Actuators | None,
    unreachable: LedgerUnreachable,
) -> SwitchResult:
    state = remembered(ledger, system, by_hand, unreachable)
    world = world_of(state.registration or {}, ledger.recorder.clock)
    operation = uuid7()
    origin = within(origin, operation)
    kind = full_kind(Mode.PAUSED, kind) or PauseKind.HALT
    mode, mode_kind = modes.current(state)
    intent = events.ModeSwitchRequested(
        from_mode=mode.value if mode else None,
        from_kind=mode_kind.value if mode_kind else None,
        to_mode=Mode.PAUSED.value,
        to_kind=kind.value,
        actuators=world.mode_actuators,
    )
    warnings = spool_events(ledger, system, [intent], origin)
    fail_points.reach("pause.after_spool_intent")
    outcome, carried = act(ledger, world, intent.payload(), origin, operation)
    fail_points.reach("pause.after_act")
    warnings += spool_events(ledger, system, [outcome], origin)
    fail_points.reach("pause.after_spool_outcome")
    switched = isinstance(outcome, events.ModeSwitched)
    return SwitchResult(
        system=system,
        mode=Mode.PAUSED,
        pause_kind=kind,
        outcome="switched" if switched else "unconfirmed",
        explanation="" if switched else outcome.explanation,
        carried_by=carried.carried_by if carried else "nothing",
        operation=str(operation),
        spooled=True,
        warnings=(*warnings, *(carried.warnings if carried else ())),
    )


def remembered(
    ledger: Ledger, system: str, by_hand: events.Actuators | None, unreachable: LedgerUnreachable
) -> SystemState:
    """Return what this machine knows of ``system``, with the actuators given by hand if any are.

    Raises:
        LedgerUnreachable: it knows nothing, and none are given.
    """
    state = ledger.memory.recall(system)
    if by_hand is not None:
        registration = {"environment": "production", "actuators": by_hand.payload()}
        return SystemState(system, registration=registration)
    if state is None or state.registration is None:
        raise LedgerUnreachable(
            f"{unreachable.message} And this machine does not remember how {system} is reached.",
            hint=f"rollout pause {system} --control-file PATH (or --http-admin URL) acts without the ledger",
        )
    return state


def spool_events(
    ledger: Ledger, system: str, happened: Sequence[Event], origin: Origin
) -> tuple[str, ...]:
    """Journal events here until the ledger takes them. Returns warnings: a full disk stops no pause."""
    records = [
        _line(
            ledger.recorder.prepare(
                event, origin, stream=control_stream(system), system=system, spooled=True
            )
        )
        for event in happened
    ]
    try:
        ledger.spool.append(records)
    except LedgerError as problem:
        return (f"not recorded, not even here: {problem.message}",)
    return ()


def _line(new: NewEvent) -> bytes:
    return orjson.dumps(
        {
            "event_id": str(new.event_id),
            "stream": new.stream,
            "type": new.type,
            "schema_version": new.schema_version,
            "occurred_at": new.occurred_at.isoformat(),
            "body": new.body.decode(),
        }
    )


def _event(line: bytes) -> NewEvent:
    record = orjson.loads(line)
    return NewEvent(
        event_id=UUID(record["event_id"]),
        stream=record["stream"],
        type=record["type"],
        schema_version=record["schema_version"],
        occurred_at=datetime.fromisoformat(record["occurred_at"]),
        body=record["body"].encode(),
    )


def drain(spool: Spool, ledger: Ledger) -> int:
    """Append what was journalled while the ledger was away, with its own times, once. Returns how many.

    A crash between the append and the settling sends the same ids again, and the log knows them (I4).
    """
    waiting = spool.read()
    if waiting.records:
        ledger.recorder.append([_event(line) for line in waiting.records])
        fail_points.reach("spool.after_append")
        spool.settle(waiting.records)
    for path in waiting.set_aside:
        ledger.warn(
            f"half a record of the spool was set aside in {path}; look at it, then remove it"
        )
    return len(waiting.records)


def rollback(
    ledger: Ledger, system: str, selector: str, origin: Origin, unreachable: LedgerUnreachable
) -> ApplyResult:
    """Go back to a fingerprint that this machine remembers, bytes and all, and journal it here.

    Raises:
        LedgerUnreachable: this machine does not remember the system, or not those bytes.
        NothingStable, UnknownName, AmbiguousName: there is no target.
        SecretMissing: a secret can't be put back; nothing was touched.
    """
    from ledger.domain.decisions import rollbacks
    from ledger.service import applying, configuring, rolling_back
    from ledger.service.applying import ApplyResult

    with ledger.pausing(system):
        state = remembered(ledger, system, None, unreachable)
        world = applying.insist_on_files(
            world_of(state.registration or {}, ledger.recorder.clock), system
        )
        standing = configuring.in_place(ledger, world)
        decision = rollbacks.request(
            state, selector, in_place=standing.fingerprint if standing else None
        )
        if decision.skipped is not None:
            return ApplyResult(system, state.fingerprint or "", "skipped", decision.skipped)
        intent = decision.events[0].payload()
        target = intent["to_fingerprint"]
        try:
            contents = applying.restored(ledger, state, target, intent["snapshot"], world)
            changes = configuring.changes_between(ledger, state.fingerprint, target)
        except UnknownName:
            raise LedgerUnreachable(
                f"{unreachable.message} And this machine does not hold the bytes of {target[7:19]}.",
                hint="Bring Postgres back, or restore the file by hand and run: rollout recover",
            ) from None
        operation = uuid7()
        origin = within(origin, operation)
        spool_events(ledger, system, decision.events, origin)
        written = applying.write_files(world, contents, "rollback.after_file")
        applying.insist_in_place(ledger, world, target)
        paths = {file["name"]: file["path"] for file in intent["files"]}
        steps = [
            events.RollbackStepCompleted(
                step=number,
                name=name,
                path=paths[name],
                outcome="written" if name in written else "already",
            )
            for number, name in enumerate(contents, start=1)
        ]
        outcome = rolling_back.outcome(ledger, state, intent, changes)
        spool_events(ledger, system, [*steps, *outcome], origin)
        return ApplyResult(
            system, target, "rolled_back", previous=state.fingerprint,
            files=tuple(paths[name] for name in written), operation=str(operation), spooled=True,
        )  # fmt: skip
