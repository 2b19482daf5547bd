"""Switching modes: intent, act, confirm, outcome. A pause never waits, nor fails for want of a ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from ledger import fail_points
from ledger.domain import events
from ledger.domain.actuation import Carried, NotCarried
from ledger.domain.decisions import Decision, alerts, modes
from ledger.domain.errors import InvariantViolated, LedgerError
from ledger.domain.events.base import Event
from ledger.domain.ids import uuid7
from ledger.domain.modes import Mode, PauseKind, exposure, full_kind, raises_exposure
from ledger.domain.state import SystemState
from ledger.service.context import Ledger
from ledger.service.recorder import Origin, within
from ledger.service.world import World, told, world_of

_OVERTAKEN_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class SwitchResult:
    """What became of a switch, for the person who asked."""

    system: str
    mode: str
    pause_kind: str | None
    outcome: str
    """switched | unconfirmed | skipped | abandoned"""
    explanation: str = ""
    carried_by: str = "nothing"
    took_ms: int = 0
    operation: str | None = None
    spooled: bool = False
    warnings: tuple[str, ...] = field(default=())


def switch(
    ledger: Ledger, system: str, target: Mode, kind: PauseKind | None, origin: Origin
) -> SwitchResult:
    """Switch ``system`` to ``target``, and record what was asked, tried and confirmed.

    Raises:
        TransitionRefused: the rules say no; the refusal is recorded.
        OperationInProgress: somebody else is at work on the system.
        UnknownName: there is no such system.
    """
    from ledger.service.recovery import finish_dead_operations

    with ledger.operating(system, f"switch to {target}"):
        finish_dead_operations(ledger, system, origin)
        return begin(ledger, system, target, kind, origin)


def begin(
    ledger: Ledger,
    system: str,
    target: Mode,
    kind: PauseKind | None,
    origin: Origin,
    *,
    by_hand: events.Actuators | None = None,
) -> SwitchResult:
    """Append the intent, then carry it out. The caller holds the locks (or is a pause, and does not).

    ``by_hand`` names other actuators than the registered ones.
    """
    state = ledger.load(system)
    registration = {"actuators": by_hand.payload()} if by_hand else state.registration or {}
    world = world_of(registration, ledger.recorder.clock)
    operation = uuid7()
    origin = within(origin, operation)
    state, decision = ledger.recorder.decide(
        system,
        lambda state: modes.request(state, target, kind, actuators=world.mode_actuators),
        origin,
    )
    if decision.skipped is not None:
        return SwitchResult(system, target, kind, "skipped", explanation=decision.skipped)
    if isinstance(decision.events[0], events.ModeSwitchRejected):
        raise modes.refusal(state, target)
    fail_points.reach("switch.after_intent")
    return carry_out(ledger, world, state, operation, origin)


def carry_out(
    ledger: Ledger, world: World, state: SystemState, operation: UUID, origin: Origin
) -> SwitchResult:
    """Act on the intent ``operation`` and append its outcome. Safe to repeat."""
    clock = ledger.recorder.clock
    intent = state.operations[str(operation)]["intent"]
    target = Mode(intent["to_mode"])
    kind = PauseKind(intent["to_kind"]) if intent.get("to_kind") else None
    started = clock.monotonic()
    outcome, result = act(world, intent, origin, operation)
    took_ms = int((clock.monotonic() - started) * 1000)
    fail_points.reach("switch.after_act")
    if isinstance(outcome, events.ModeSwitched):
        outcome = outcome.model_copy(update={"took_ms": took_ms})
    else:
        outcome = outcome.model_copy(update={"waited_ms": took_ms})
    after, decision = ledger.recorder.decide(
        state.system, lambda state: _outcome(state, operation, target, kind, outcome), origin
    )
    fail_points.reach("switch.after_outcome")
    ledger.memory.remember(after)
    if isinstance(decision.events[0], events.ModeSwitchAbandoned):
        _yield_to_later(ledger, world, after, target, kind)
        explanation = decision.events[0].explanation
        return SwitchResult(
            state.system, target, kind, "abandoned", explanation, operation=str(operation)
        )
    return SwitchResult(
        system=state.system,
        mode=target,
        pause_kind=kind,
        outcome="switched" if isinstance(outcome, events.ModeSwitched) else "unconfirmed",
        explanation=getattr(outcome, "explanation", ""),
        carried_by=result.carried_by if result else "nothing",
        took_ms=took_ms,
        operation=str(operation),
        warnings=result.warnings if result else (),
    )


def act(
    world: World, intent: object, origin: Origin, operation: UUID
) -> tuple[events.ModeSwitched | events.ModeSwitchUnconfirmed, Carried | None]:
    """Carry a mode into the world; return the event that says what came of it."""
    if not isinstance(intent, dict):
        raise InvariantViolated("an intent is the data of ModeSwitchRequested")
    target = Mode(intent["to_mode"])
    kind = PauseKind(intent["to_kind"]) if intent.get("to_kind") else None
    switched = events.ModeSwitched(
        from_mode=intent["from_mode"],
        from_kind=intent.get("from_kind"),
        to_mode=target.value,
        to_kind=kind.value if kind else None,
        carried_by="nothing",
    )
    if world.modes is None:
        return switched, None
    who = origin.actor.name
    try:
        carried = world.modes.switch(
            mode=target,
            pause_kind=kind,
            message=f"{who}: {origin.reason}" if origin.reason else who,
            operation_id=str(operation),
        )
    except NotCarried as refusal:
        return _unconfirmed(target, kind, refusal.message, told(refusal.attempts)), None
    if not carried.confirmed:
        problem = (
            f"{carried.carried_by} took it, but the system was not seen to be {target} in time"
        )
        return _unconfirmed(target, kind, problem, told(carried.attempts)), carried
    done = switched.model_copy(
        update={"carried_by": carried.carried_by, "attempts": told(carried.attempts)}
    )
    return done, carried


def _unconfirmed(
    target: Mode, kind: PauseKind | None, explanation: str, attempts: tuple[events.Attempt, ...]
) -> events.ModeSwitchUnconfirmed:
    return events.ModeSwitchUnconfirmed(
        to_mode=target.value,
        to_kind=kind.value if kind else None,
        attempts=attempts,
        explanation=explanation,
        waited_ms=0,
    )


def _outcome(
    state: SystemState, operation: UUID, target: Mode, kind: PauseKind | None, outcome: Event
) -> Decision:
    """Decide the outcome: unless somebody reduced exposure meanwhile, who then has the last word."""
    mine = state.operations.get(str(operation))
    if mine is None:
        return Decision(
            (
                events.ModeSwitchAbandoned(
                    to_mode=target.value, explanation="its outcome was recorded already"
                ),
            )
        )
    if _later_and_safer(state, mine["position"], target, kind) is not None:
        return Decision(
            (
                events.ModeSwitchAbandoned(
                    to_mode=target.value,
                    explanation="somebody reduced the exposure while it was carried out",
                ),
            )
        )
    done: list[Event] = [outcome]
    if isinstance(outcome, events.ModeSwitched) and target is Mode.PAUSED:
        done += alerts.mitigated_by(state, f"paused/{full_kind(target, kind)}")
    return Decision(tuple(done))


def _later_and_safer(
    state: SystemState, position: int, target: Mode, kind: PauseKind | None
) -> tuple[Mode, PauseKind | None] | None:
    """Return the mode of a switch that was asked for after ``position`` and is less exposed."""
    later = [
        (Mode(o["intent"]["to_mode"]), o["intent"].get("to_kind"))
        for o in state.operations.values()
        if o["kind"] == "switch" and o["position"] > position
    ]
    if state.mode is not None and state.mode_position > position:
        later.append((Mode(state.mode), state.pause_kind))
    safer = [
        (mode, PauseKind(k) if k else None)
        for mode, k in later
        if exposure(mode, PauseKind(k) if k else None) < exposure(target, kind)
    ]
    return min(safer, key=lambda found: exposure(*found), default=None)


def _yield_to_later(
    ledger: Ledger, world: World, state: SystemState, target: Mode, kind: PauseKind | None
) -> None:
    """Our write may have come after theirs: put the safer mode back into the world."""
    safer = _later_and_safer(state, 0, target, kind)
    if safer is None or world.modes is None:
        return
    try:
        world.modes.switch(
            mode=safer[0],
            pause_kind=safer[1],
            message="the safer switch has the last word",
            operation_id="",
        )
    except LedgerError as problem:
        ledger.warn(f"{safer[0]} could not be put back: {problem.message}; run: rollout recover")


def is_raising(state: SystemState, target: Mode, kind: PauseKind | None) -> bool:
    """Tell whether the switch would raise exposure, so that it needs a person, a reason and a yes."""
    mode, mode_kind = modes.current(state)
    return raises_exposure(mode, target, current_kind=mode_kind, target_kind=kind)
