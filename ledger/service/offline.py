"""What still works while Postgres is away: what reduces exposure. Journalled here, appended later (I5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import orjson
from msgspec.structs import replace

from ledger import fail_points
from ledger.domain import events
from ledger.domain.alerts import decide as alerts
from ledger.domain.errors import LedgerError, LedgerUnreachable, UnknownName, UnknownSystem
from ledger.domain.log.envelope import NewEvent
from ledger.domain.log.event import Event
from ledger.domain.log.ids import check_system_name, control_stream, uuid7
from ledger.domain.log.spooled import require_spooled
from ledger.domain.modes import decide as modes
from ledger.domain.modes.state import SwitchIntent
from ledger.domain.state import SystemState
from ledger.domain.systems.state import Actuators, Registration
from ledger.domain.values.modes import Mode, PauseKind, full_kind
from ledger.service.core.actuators import world_of
from ledger.service.core.operation import begin
from ledger.service.core.recorder import Origin, within
from ledger.service.core.session import Ledger
from ledger.service.modes.switch import Switch, SwitchResult, act, told_as

if TYPE_CHECKING:
    from ledger.service.configurations.apply import ApplyResult


def pause(
    ledger: Ledger,
    system: str,
    kind: PauseKind,
    origin: Origin,
    *,
    by_hand: events.Actuators | None = None,
    away: LedgerError | None = None,
) -> SwitchResult:
    """Pause ``system``: through the ledger if it answers, without it otherwise.

    ``by_hand`` names the actuators when nobody here remembers the system's own; ``away`` says why the
    ledger is known to be of no use.

    Raises:
        LedgerUnreachable: the ledger is away, and nobody here knows how to reach the system.
        UnknownName: there is no such system.
    """
    with ledger.pausing(system):
        if away is None:
            try:
                return begin(ledger, system, Switch(Mode.PAUSED, kind, by_hand=by_hand), origin)
            except UnknownSystem:  # then there is nothing to pause
                raise
            except Exception as problem:  # noqa: BLE001 - whatever the log holds, nothing stops a pause (I33)
                away = unusable(problem)
        return _pause_without_ledger(ledger, system, kind, origin, by_hand, away)


def unusable(problem: Exception) -> LedgerError:
    """Return what keeps the ledger from being used, as one sentence.

    Of what is no error of ours only the kind is told: its text may hold what the log must not show (I6).
    """
    if isinstance(problem, LedgerError):
        return problem
    if isinstance(problem, OSError):
        return LedgerUnreachable(f"{problem}.")
    return LedgerUnreachable(
        f"What the ledger holds can't be worked with ({type(problem).__name__}).",
        hint="rollout verify looks for what is wrong with it.",
    )


def _pause_without_ledger(
    ledger: Ledger,
    system: str,
    kind: PauseKind,
    origin: Origin,
    by_hand: events.Actuators | None,
    away: LedgerError,
) -> SwitchResult:
    state = remembered(ledger, system, by_hand, away)
    world = world_of(state.actuators, ledger.recorder.clock)
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
    unspooled = _try_to_spool(ledger, system, [intent], origin)
    fail_points.reach("pause.after_spool_intent")
    outcome, carried = act(ledger, world, SwitchIntent.of(intent.payload()), origin, operation)
    fail_points.reach("pause.after_act")
    switched = isinstance(outcome, events.ModeSwitched)
    mitigated = alerts.mitigated_by(state, f"paused/{kind}") if switched else ()
    unspooled += _try_to_spool(ledger, system, [outcome, *mitigated], origin)
    if switched and by_hand is None:  # so that the next one tells where it came from
        ledger.memory.imagine(replace(state, mode=Mode.PAUSED.value, pause_kind=kind.value))
    fail_points.reach("pause.after_spool_outcome")
    return SwitchResult(
        system=system,
        mode=Mode.PAUSED,
        pause_kind=kind,
        outcome=told_as(outcome),
        explanation=getattr(outcome, "explanation", ""),
        carried_by=carried.carried_by if carried else "nothing",
        has_way=world.modes is not None,
        operation=str(operation),
        spooled=None if unspooled else True,
        warnings=(
            f"without the ledger: {away.message}",
            *unspooled,
            *(carried.warnings if carried else ()),
        ),
    )


def _try_to_spool(
    ledger: Ledger, system: str, happened: Sequence[Event], origin: Origin
) -> tuple[str, ...]:
    """Journal events, or return a warning: a full disk stops no pause."""
    try:
        spool_events(ledger, system, happened, origin)
    except Exception as problem:  # noqa: BLE001 - a record that can't be made stops no pause (I33)
        return (f"not recorded, not even here: {unusable(problem).message}",)
    return ()


def remembered(
    ledger: Ledger, system: str, by_hand: events.Actuators | None, away: LedgerError
) -> SystemState:
    """Return what this machine knows of ``system``, with the actuators given by hand if any are.

    Raises:
        LedgerUnreachable: it knows nothing, and none are given.
    """
    state = ledger.memory.recall(system) or SystemState(check_system_name(system))
    if by_hand is not None:
        return replace(state, registration=Registration(actuators=Actuators.of(by_hand.payload())))
    if state.registration is None:
        raise LedgerUnreachable(
            f"{away.message} And this machine does not remember how {system} is reached.",
            hint=f"rollout pause {system} --control-file PATH (or --http-admin URL) acts without the ledger",
        )
    return state


def spool_events(ledger: Ledger, system: str, happened: Sequence[Event], origin: Origin) -> None:
    """Journal events here until the ledger takes them.

    Raises:
        FileNotWritten, OperationInProgress: none of them is kept.
    """
    stream = control_stream(system)
    spool_prepared(
        ledger,
        [
            ledger.recorder.prepare(event, origin, stream=stream, system=system, spooled=True)
            for event in happened
        ],
    )


def spool_prepared(ledger: Ledger, prepared: Sequence[NewEvent]) -> None:
    """Journal what is ready to append. Raises as `spool_events` does."""
    if prepared:
        ledger.spool.append([_line(new, ledger.memory.ledger) for new in prepared])


def _line(new: NewEvent, ledger: str | None) -> bytes:
    return orjson.dumps(
        {
            "ledger": ledger,
            "event_id": str(new.event_id),
            "stream": new.stream,
            "type": new.type,
            "schema_version": new.schema_version,
            "occurred_at": new.occurred_at.isoformat(),
            "body": new.body.decode(),
        }
    )


def _event(line: bytes, ledger: str | None) -> NewEvent | None:
    """Return what a record journals; None if it belongs to another ledger.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it is no event of ours.
    """
    record = orjson.loads(line)
    new = NewEvent(
        event_id=UUID(record["event_id"]),
        stream=record["stream"],
        type=record["type"],
        schema_version=record["schema_version"],
        occurred_at=datetime.fromisoformat(record["occurred_at"]),
        body=record["body"].encode(),
    )
    # Bad payloads never reach the log; pydantic's ValidationError is a ValueError.
    body = orjson.loads(new.body)
    events.model_of(new.type).model_validate_json(orjson.dumps(body["data"]))
    require_spooled(new, body)
    if record["ledger"] not in {None, ledger}:
        return None
    return new


def drain(ledger: Ledger) -> Counter[str]:
    """Append what was journalled while the ledger was away, with its own times, once.

    What was journalled for another ledger stays, until a command works with that one. A crash between
    the append and the settling sends the same ids again, and the log knows them (I4).

    Returns how many events came in, by stream.
    """
    waiting = ledger.spool.read()
    ours: dict[bytes, NewEvent] = {}
    broken: list[bytes] = []
    for line in waiting.records:
        try:
            new = _event(line, ledger.memory.ledger)
        except (ValueError, KeyError, TypeError, AttributeError):
            broken.append(line)
            continue
        if new is not None:
            ours[line] = new
    if broken:
        ledger.spool.set_aside(broken)
    if ours:
        ledger.recorder.append(list(ours.values()))
        fail_points.reach("spool.after_append")
        ledger.spool.settle(ours)
    others = len(waiting.records) - len(ours) - len(broken)
    if others:
        ledger.warn(
            f"{others} events wait here for another ledger; a command on that one appends them"
        )
    for path in waiting.set_aside if not broken else ledger.spool.read().set_aside:
        ledger.warn(
            f"something in the spool was no event, and was set aside in {path}; look at it, then remove it"
        )
    return Counter(event.stream for event in ours.values())


def rollback(
    ledger: Ledger, system: str, selector: str, origin: Origin, unreachable: LedgerError
) -> ApplyResult:
    """Go back to a fingerprint that this machine remembers, bytes and all, and journal it here.

    Raises:
        LedgerUnreachable: this machine does not remember the system, or not those bytes.
        NothingStable, UnknownName, AmbiguousName: there is no target.
        SecretMissing, FileNotWritten: a secret can't be put back, or it can't be journalled; nothing was
            touched.
    """
    from ledger.domain.rollbacks import decide as rollbacks
    from ledger.domain.rollbacks.state import RollbackIntent
    from ledger.service.configurations import apply, comparison, snapshots
    from ledger.service.configurations.apply import ApplyResult
    from ledger.service.rollbacks import rollback as rolling_back

    with ledger.alone_here(system, "rollback"):
        state = remembered(ledger, system, None, unreachable)
        world = apply.world_with_files(ledger, state)
        if selector.startswith("#"):
            raise LedgerUnreachable(
                f"{unreachable.message} And {selector} can't be looked up without it.",
                hint="Name a fingerprint or a tag, or say --last-stable.",
            )
        standing = comparison.in_place(ledger, state, world)
        decision = rollbacks.request(state, selector, in_place=standing)
        if decision.skipped is not None:
            return ApplyResult(system, state.fingerprint or "", "skipped", decision.skipped)
        intent = RollbackIntent.of(decision.events[0].payload())
        target = intent.to_fingerprint
        try:
            contents = apply.restored(ledger, state, target, intent.snapshot, world)
            outcome = rolling_back.outcome(ledger, state, intent)
        except UnknownName:
            raise LedgerUnreachable(
                f"{unreachable.message} And this machine does not hold the bytes of {target[7:19]}.",
                hint="Bring Postgres back, or restore the file by hand and run: rollout recover",
            ) from None
        operation = uuid7()
        origin = within(origin, operation)
        snapshots.copy_unknown(ledger, state, world)
        spool_events(ledger, system, decision.events, origin)
        written: list[str] = []
        apply.write_files(world, contents, written, "rollback.after_file")
        apply.require_in_place(ledger, world, state, target, contents)
        steps = [
            events.RollbackStepCompleted(
                step=number,
                name=name,
                path=str(world.config_files[name]),
                outcome="written" if name in written else "already",
            )
            for number, name in enumerate(contents, start=1)
        ]
        for warning in _try_to_spool(ledger, system, [*steps, *outcome], origin):
            ledger.warn(warning)
        return ApplyResult(
            system, target, "rolled_back", previous=intent.from_fingerprint,
            files=tuple(str(world.config_files[name]) for name in written),
            operation=str(operation), spooled=True,
        )  # fmt: skip
