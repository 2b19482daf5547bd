"""Switches of mode: asked for, and what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from ledger.domain import events
from ledger.domain.alerts.decide import keeps_from_real, mitigated_by
from ledger.domain.decision import Decision, require_no_rule, require_registered
from ledger.domain.errors import Refused, StaleRevision, TransitionRefused
from ledger.domain.log.event import Event
from ledger.domain.log.ids import Actor
from ledger.domain.modes.state import SwitchIntent
from ledger.domain.operations import SwitchOperation
from ledger.domain.state import SystemState, operation_of
from ledger.domain.values.actuation import Observed, Reading
from ledger.domain.values.modes import (
    Mode,
    PauseKind,
    Transition,
    exposure,
    full_kind,
    raises_exposure,
    transition,
)

Outcome: TypeAlias = "events.ModeSwitched | events.ModeSwitchUnconfirmed"


def current(state: SystemState) -> tuple[Mode | None, PauseKind | None]:
    """Return the mode that the ledger last saw confirmed."""
    mode = Mode(state.mode) if state.mode else None
    return mode, PauseKind(state.pause_kind) if state.pause_kind else None


def shown(mode: Mode, kind: PauseKind | None) -> str:
    """Return a mode as people read it: "paused/halt"."""
    return f"{mode}/{kind}" if kind else str(mode)


def shown_state(state: SystemState) -> str:
    """Return the mode that the ledger last saw confirmed, as people read it."""
    mode, kind = current(state)
    return shown(mode, kind) if mode is not None else "never switched"


def is_settled(
    state: SystemState, target: Mode, kind: PauseKind | None, observed: Observed | None
) -> bool:
    """Tell whether there is nothing to do: the ledger says so, the world says so, nothing is under way.

    ``observed`` is what the world says; None: there is nothing to ask.
    """
    mode, mode_kind = current(state)
    verdict = transition(mode, target, current_kind=mode_kind, target_kind=kind)
    under_way = any(operation.kind == "switch" for operation in state.operations.values())
    agrees = observed is None or observed.tells(target, kind)
    return verdict is Transition.NO_OP and agrees and not under_way and "mode" not in state.drift


def raises(
    state: SystemState, target: Mode, kind: PauseKind | None, observed: Observed | None
) -> bool:
    """Tell whether a switch raises exposure, so that it needs a person, a reason and a yes.

    Against what the ledger says and against what the world says: a pause by hand counts. What the rules
    refuse raises nothing.
    """
    mode, mode_kind = current(state)
    verdict = transition(mode, target, current_kind=mode_kind, target_kind=kind)
    if verdict is Transition.REFUSED:
        return False
    if raises_exposure(mode, target, current_kind=mode_kind, target_kind=kind):
        return True
    reading = observed.safe if observed is not None else None
    return reading is not None and raises_exposure(
        reading.mode, target, current_kind=reading.pause_kind, target_kind=kind
    )


def request(
    state: SystemState,
    target: Mode,
    kind: PauseKind | None,
    *,
    actuators: Sequence[str],
    observed: Observed | None,
    said_yes: Actor | None,
    now: datetime,
) -> Decision:
    """Decide on a switch: the intent, a no-op, or a refusal for the record.

    ``said_yes`` is who said yes to more exposure, if anybody did; ``now`` is for what must be fresh.
    A refusal by the rules is an event too
    (`ModeSwitchRejected`); the caller appends it and then raises `refusal`.

    Raises:
        StaleRevision: it raises exposure, and nobody has said yes to that.
        Refused: it raises exposure, and a rule said yes (I9).
        Refused: to real, in a phase that is run in mock, or while a rule's pause has its cause.
        GateClosed, Inconclusive, ApprovalNeeded: the plan guards the mode, and what it wants is not there.
    """
    require_registered(state)
    kind = full_kind(target, kind)
    mode, mode_kind = current(state)
    if is_settled(state, target, kind, observed):
        return Decision(skipped=f"already {shown(target, kind)}, since {state.mode_since}")
    verdict = transition(mode, target, current_kind=mode_kind, target_kind=kind)
    switch = {
        "from_mode": mode.value if mode else None,
        "from_kind": mode_kind.value if mode_kind else None,
        "to_mode": target.value,
        "to_kind": kind.value if kind else None,
    }
    if verdict is Transition.REFUSED:
        explanation = refusal(state, target).message
        return Decision(
            (events.ModeSwitchRejected.model_validate({**switch, "explanation": explanation}),)
        )
    glass = None
    if raises(state, target, kind, observed) and target is not Mode.PAUSED:
        _require_yes(state, target, said_yes)
        glass = _require_guard(state, target, now)
    asked = {**switch, "actuators": tuple(actuators), "break_glass": glass}
    return Decision((events.ModeSwitchRequested.model_validate(asked),))


def give_reason(state: SystemState, reason: str) -> Decision:
    """Say why the system is in the mode that it is in already: whoever paused it had no time to."""
    require_registered(state)
    if state.mode is None or state.mode_reason == reason:
        return Decision(skipped="there is nothing to add")
    given = {"mode": state.mode, "kind": state.pause_kind}
    return Decision((events.ModeReasonGiven.model_validate(given),))


def _require_yes(state: SystemState, target: Mode, said_yes: Actor | None) -> None:
    if said_yes is None:
        raise StaleRevision(
            f"{state.system} is less exposed now than it was a moment ago, and nobody said yes to "
            f"raising that to {target}.",
            hint=f"Look again (rollout status {state.system}), then decide again.",
        )
    require_no_rule(said_yes, f"switching {state.system} to {target}")


def _require_guard(state: SystemState, target: Mode, now: datetime) -> str | None:
    """Raise unless what the plan wants before ``target`` is there; return the waiver that stands for it."""
    # Here and not above: a pause needs none of it.
    from ledger.domain.approvals.decide import approved_with_phase, require_approvals
    from ledger.domain.gates.decide import require_preflight
    from ledger.domain.gates.verdicts import waiver_for

    glass = waiver_for(state, f"break-glass:mode:{target}", now)
    if glass is not None:
        return glass
    if target is Mode.REAL:
        _require_nothing_against_real(state, now)
    guard = state.profile.guards.get(target.value) if state.profile is not None else None
    if guard is None:
        return None
    if guard.preflight_seconds is not None:
        require_preflight(state, f"The mode {target}", guard.preflight_seconds, now)
    if guard.approvals and not approved_with_phase(state, target.value, guard.approvals, now):
        require_approvals(state, f"mode:{target}", guard.approvals, now)
    return None


def _require_nothing_against_real(state: SystemState, now: datetime) -> None:
    """Raise where the phase is run in mock at most, or the cause of a pause by a rule persists."""
    if state.phase is not None and not state.phase.is_over and state.profile is not None:
        name = state.phase.name
        if any(one.name == name and one.mode == "mock" for one in state.profile.phases):
            raise Refused(
                f"{state.system} is in the phase {name}, which the plan has run in mock.",
                hint=f"rollout phase advance {state.system} leads on",
            )
    alert = keeps_from_real(state, now)
    if alert is not None:
        raise Refused(
            f"The critical alert {alert} of {state.system} is firing, and its rule pauses.",
            hint="Mend its cause, and let the watch see that; or hold what rules do about it: "
            f"rollout alert silence {state.system} {alert.partition('{')[0]} --for 1h --hold-actions "
            "--reason …",
        )


def refusal(state: SystemState, target: Mode) -> TransitionRefused:
    """Return the error that tells a person why the switch is refused, and the way round."""
    before = f"is {state.mode}" if state.mode else "was never switched"
    return TransitionRefused(
        f"{state.system} {before}: it can't be switched straight to {target}.",
        hint=f"rollout switch {state.system} --to mock --reason …, watch it, then switch to real",
    )


def no_softer(kind: PauseKind, reading: Reading | None) -> PauseKind:
    """Return ``kind``, or the graver kind of pause that stands in the world by ``reading`` (I9)."""
    if reading is None or reading.mode is not Mode.PAUSED:
        return kind
    return min(
        kind, reading.pause_kind or PauseKind.HALT, key=lambda one: exposure(Mode.PAUSED, one)
    )


# --- what a switch came to ---


def outcome(state: SystemState, operation: UUID, done: Outcome) -> tuple[Event, ...]:
    """Record what a switch came to, unless somebody reduced the exposure since: that has the last word."""
    begun = operation_of(state, operation, SwitchOperation)
    target, kind = begun.intent.to_mode, begun.intent.to_kind
    if safer_since(state, begun.position, target, kind) is not None:
        return (abandoned(begun.intent, "somebody reduced the exposure while it was carried out"),)
    if isinstance(done, events.ModeSwitched) and target is Mode.PAUSED:
        return (done, *mitigated_by(state, f"paused/{full_kind(target, kind)}"))
    return (done,)


def safer_since(
    state: SystemState, position: int, target: Mode, kind: PauseKind | None
) -> tuple[Mode, PauseKind | None] | None:
    """Return the least exposed mode asked for after ``position``, where that is safer than ``target``."""
    later = [
        (begun.intent.to_mode, begun.intent.to_kind)
        for begun in state.operations.values()
        if isinstance(begun, SwitchOperation) and begun.position > position
    ]
    mode, mode_kind = current(state)
    if mode is not None and state.mode_position > position:
        later.append((mode, mode_kind))
    safer = [switch for switch in later if exposure(*switch) < exposure(target, kind)]
    return min(safer, key=lambda switch: exposure(*switch), default=None)


@dataclass(frozen=True, slots=True)
class Remainder:
    """What is left to do of a switch that a dead process began."""

    step: Literal["carry out", "record", "give up"]
    """To record it only: the world has done it."""
    why: str = ""
    """Why it is given up."""


def remainder(state: SystemState, operation: UUID, observed: Observed | None) -> Remainder:
    """Decide how a switch is finished whose process is dead. ``observed`` is what the world says.

    One that lowers exposure is carried out; one that raises it is never carried out a second time (I9).
    """
    begun = operation_of(state, operation, SwitchOperation)
    target, kind = begun.intent.to_mode, begun.intent.to_kind
    if begun.overtaken:
        return Remainder("give up", "begun and not done; somebody has decided otherwise since")
    if not raises(state, target, kind, observed) or _lowers(observed, target, kind):
        return Remainder("carry out")
    reading = observed.safe if observed is not None and observed.agrees else None
    if reading is not None and reading.tells(target, kind):
        return Remainder("record")
    return Remainder("give up", "begun and not done; raising the exposure again needs a person")


def _lowers(observed: Observed | None, target: Mode, kind: PauseKind | None) -> bool:
    """Tell whether a pause lowers what every source says, though the ledger thinks of a graver one.

    So after a switch that reached the world and was not recorded: the pause was decided later.
    """
    stands = observed.safe if observed is not None else None
    return (
        target is Mode.PAUSED
        and stands is not None
        and stands.mode is not None
        and exposure(target, kind) < exposure(stands.mode, stands.pause_kind)
    )


def abandoned(intent: SwitchIntent, why: str) -> events.ModeSwitchAbandoned:
    """Return the event that says that a switch was given up."""
    return events.ModeSwitchAbandoned(
        to_mode=intent.to_mode.value,
        to_kind=intent.to_kind.value if intent.to_kind else None,
        explanation=why,
    )
