"""Plans: adopted. Phases: entered in order, left forward on evidence, held and aborted by anybody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ledger.domain import events
from ledger.domain.approvals.decide import require_approvals
from ledger.domain.configurations.decide import short
from ledger.domain.configurations.state import PhaseMove
from ledger.domain.decision import Decision, require_no_rule, require_reason, require_registered
from ledger.domain.errors import BadInput, Refused, StaleRevision, UnknownName
from ledger.domain.gates.decide import require_gate, require_preflight
from ledger.domain.gates.verdicts import waiver_for
from ledger.domain.log.event import Event
from ledger.domain.log.ids import Actor
from ledger.domain.plans.state import PlannedPhase, PresentPhase
from ledger.domain.state import SystemState

Limits = Mapping[str, str]
Scope = Mapping[str, tuple[str, ...]]


def adopt(
    state: SystemState,
    adopted: events.ProfileAdopted,
    *,
    environment: str,
    file: str,
    reason: str | None,
) -> Decision:
    """Adopt the plan that stands in ``file`` and is for ``environment``.

    Raises:
        BadInput: the system is in another environment.
        ReasonRequired: it takes the place of another plan, and nobody says why.
    """
    require_registered(state)
    if state.environment != environment:
        raise BadInput(
            f"{file} is for {environment}, and {state.system} is registered as {state.environment}.",
            hint="Correct one of them: what a file is called does not count, what it says does.",
        )
    plan = state.profile
    if plan is not None and plan.fingerprint == adopted.fingerprint:
        return Decision(
            skipped=f"{adopted.profile} ({short(adopted.fingerprint)}) is the plan already"
        )
    if plan is not None:
        # The first plan can only add guards; the next may take some away (I9, I11).
        what = f"{adopted.profile} takes the place of another plan: that needs a reason."
        require_reason(reason, what)
    return Decision((adopted,))


def planned(state: SystemState, name: str) -> PlannedPhase:
    """Return what the plan says of a phase.

    Raises:
        UnknownName: it has no such phase, or there is no plan.
    """
    phases = phases_of(state)
    named = next((phase for phase in phases if phase.name == name), None)
    if named is None:
        raise UnknownName(
            f"The plan of {state.system} has no phase {name!r}.",
            hint="It has: " + ", ".join(phase.name for phase in phases),
        )
    return named


def phases_of(state: SystemState) -> tuple[PlannedPhase, ...]:
    """Return the phases of the plan, in order.

    Raises:
        UnknownName: the system has no plan.
    """
    require_registered(state)
    if state.profile is None:
        raise UnknownName(
            f"{state.system} has no rollout plan.",
            hint=f"rollout profile adopt {state.system} FILE",
        )
    return state.profile.phases


def enter(
    state: SystemState, name: str, actor: Actor, now: datetime, *, limits: Limits, scope: Scope
) -> Decision:
    """Enter the first phase, or the next after the one that was left forward, or an earlier one again.

    Raises:
        Refused: it would skip a phase; a rule asks for it (I9).
        GateClosed, Inconclusive, ApprovalNeeded: what the plan wants first is not there.
    """
    plan = planned(state, name)
    if state.phase is not None and state.phase.name == name and not state.phase.is_over:
        return Decision(skipped=f"{state.system} is in {name} already, since {state.phase.since}")
    if not _goes_back(state, name):
        require_no_rule(actor, f"entering the phase {name}")
        _require_order(state, name)
        glass = _require_entry(state, plan, now)
    else:
        glass = None
    entered = events.PhaseEntered(
        phase=name, limits=dict(limits), scope=dict(scope), break_glass=glass
    )
    return Decision((entered,))


def advance(
    state: SystemState, actor: Actor, now: datetime, *, limits: Limits, scope: Scope
) -> Decision:
    """Leave the present phase forward, and enter the next, if there is one.

    Raises:
        Refused: there is nothing to leave; it is held; it has not lasted long enough; a rule asks (I9).
        GateClosed, Inconclusive, ApprovalNeeded: what the plan wants first is not there.
    """
    present = present_phase(state)
    require_no_rule(actor, "the next phase")
    if present.status == "held":
        raise Refused(
            f"{present.name} is held by {present.held_by}: {present.held_reason or 'no reason'}.",
            hint=f"rollout phase release {state.system}",
        )
    plan = planned(state, present.name)
    following = next_phase(state)
    glass = waiver_for(state, f"break-glass:phase:{present.name}", now)
    if glass is None:
        require_gate(state, present, plan, following, now)
    gate = state.gates.get(present.name)
    left = events.PhaseAdvanced(
        from_phase=present.name,
        to_phase=following.name if following else None,
        gate_position=gate.position if gate is not None else None,
    )
    if following is None:
        return Decision((left,))
    glass = _require_entry(state, following, now) or glass
    entered = events.PhaseEntered(
        phase=following.name, limits=dict(limits), scope=dict(scope), break_glass=glass
    )
    return Decision((left, entered))


def move_of(decided: Decision) -> events.PhaseMove:
    """Return what `enter` or `advance` decided, for an intent that does it once the files are in place."""
    by_type = {event.type: event.payload() for event in decided.events}
    entered, left = by_type["PhaseEntered"], by_type.get("PhaseAdvanced", {})
    return events.PhaseMove(
        phase=entered["phase"],
        left_forward=left.get("from_phase"),
        gate_position=left.get("gate_position"),
        limits=entered["limits"],
        scope={name: tuple(values) for name, values in entered["scope"].items()},
        break_glass=entered.get("break_glass"),
    )


def moved(state: SystemState, move: PhaseMove, begun: int) -> tuple[Event, ...]:
    """Return that the phase of a `PhaseMove` is entered; nothing, if somebody decided otherwise meanwhile.

    ``begun`` is the position of the intent.
    """
    present, left = state.phase, move.left_forward
    if present is not None and (
        present.position > begun
        or (left is not None and (present.name, present.status) != (left, "progressing"))
    ):
        return ()
    entered = events.PhaseEntered(
        phase=move.phase,
        limits=dict(move.limits),
        scope=dict(move.scope),
        break_glass=move.break_glass,
        before=state.fingerprint if _goes_forward(state, move.phase) else None,
    )
    if left is None:
        return (entered,)
    advanced = events.PhaseAdvanced(
        from_phase=left, to_phase=move.phase, gate_position=move.gate_position
    )
    return (advanced, entered)


def hold(state: SystemState) -> Decision:
    """Hold the present phase until somebody releases it."""
    present = present_phase(state)
    if present.status == "held":
        return Decision(skipped=f"{present.name} is held already, by {present.held_by}")
    return Decision((events.PhaseHeld(phase=present.name),))


def release(state: SystemState, actor: Actor) -> Decision:
    """Release the present phase from its hold."""
    present = present_phase(state)
    require_no_rule(actor, "releasing a hold")
    if present.status != "held":
        return Decision(skipped=f"{present.name} is not held")
    return Decision((events.PhaseReleased(phase=present.name),))


def abort(state: SystemState) -> Decision:
    """Abort the rollout in its present phase."""
    return Decision((events.PhaseAborted(phase=present_phase(state).name),))


def abort_from(state: SystemState, before: str) -> Decision:
    """Abort the rollout, for the configuration ``before`` to be put back.

    Raises:
        StaleRevision: by now aborting puts back something else, or nothing (`to_put_back`).
    """
    if to_put_back(state) != before:
        raise StaleRevision(
            f"Somebody has put something else in force in {state.system} meanwhile."
        )
    return abort(state)


def to_put_back(state: SystemState) -> str | None:
    """Return the configuration that aborting the present phase puts back; None: what is in force stays.

    That is what the phase before ran on, where the overlay of this one took its place, and nobody has put
    anything else in force since. The overlay of the first phase stays: what stood there before the rollout
    may be more exposed.
    """
    present = present_phase(state)
    before = present.before
    if before is None or state.fingerprint != present.overlaid:
        return None
    return None if state.configs[before].quarantined else before


def change_scope(state: SystemState, scope: Scope, actor: Actor) -> Decision:
    """Change the scope of the present phase. A rule may only take something out (I9)."""
    present = present_phase(state)
    before = dict(present.scope)
    if before == dict(scope):
        return Decision(skipped="that is what the phase covers already")
    if any(set(values) - set(before.get(name, ())) for name, values in scope.items()):
        require_no_rule(actor, "a wider scope")
    changed = events.ScopeChanged(phase=present.name, before=before, after=dict(scope))
    return Decision((changed,))


def present_phase(state: SystemState) -> PresentPhase:
    """Return the phase that the rollout is in.

    Raises:
        Refused: it is in none.
    """
    phases = phases_of(state)
    if is_over(state) or state.phase is None:
        condition = "has not begun" if state.phase is None else f"is {state.phase.status}"
        raise Refused(
            f"The rollout of {state.system} {condition}: it is in no phase.",
            hint=f"rollout phase enter {state.system} {phases[0].name if phases else 'PHASE'}",
        )
    return state.phase


def is_over(state: SystemState) -> bool:
    """Tell whether the rollout is in no phase."""
    return state.phase is None or state.phase.is_over


def next_phase(state: SystemState) -> PlannedPhase | None:
    """Return the phase after the present one, or None after the last."""
    names = [phase.name for phase in phases_of(state)]
    present = state.phase_name
    at = names.index(present) + 1 if present in names else 0
    return phases_of(state)[at] if at < len(names) else None


def require_next(state: SystemState, name: str | None) -> None:
    """Raise unless ``name`` is the phase after the present one still; None: the present one is the last.

    Raises:
        StaleRevision: the rollout went on since that was looked up.
    """
    following = next_phase(state)
    if (following.name if following else None) != name:
        raise StaleRevision(
            f"The rollout of {state.system} went on meanwhile.",
            hint=f"rollout phase list {state.system}",
        )


def _index(state: SystemState, name: str) -> int:
    return [phase.name for phase in phases_of(state)].index(name)


def _goes_back(state: SystemState, name: str) -> bool:
    """Whether it is an earlier phase than the present one: less exposure, so nothing stands against it."""
    present = state.phase_name
    names = [phase.name for phase in phases_of(state)]
    return present in names and _index(state, name) < names.index(present)


def _goes_forward(state: SystemState, name: str) -> bool:
    """Whether an earlier phase comes before it, and it is not entered again on the way back."""
    names = [phase.name for phase in phases_of(state)]
    return name in names[1:] and not _goes_back(state, name)


def _require_order(state: SystemState, name: str) -> None:
    skipped = [
        phase.name
        for phase in phases_of(state)[: _index(state, name)]
        if phase.name not in state.phases_done
    ]
    if skipped:
        raise Refused(
            f"{name} comes after {skipped[0]}, and that has not been left forward.",
            hint=f"rollout phase enter {state.system} {skipped[0]}",
        )


def _require_entry(state: SystemState, plan: PlannedPhase, now: datetime) -> str | None:
    """Raise unless the plan's entry conditions hold. Return the waiver that stands in for them, if any."""
    glass = waiver_for(state, f"break-glass:phase:{plan.name}", now)
    if glass is not None:
        return glass
    if plan.preflight_seconds is not None:
        require_preflight(state, f"the phase {plan.name}", plan.preflight_seconds, now)
    require_approvals(state, f"phase:{plan.name}", plan.approvals, now)
    return None


def age_seconds(since: str, now: datetime) -> float:
    """Return how long ago ``since`` was."""
    return (now - datetime.fromisoformat(since)).total_seconds()


def remaining_seconds(state: SystemState, now: datetime) -> float:
    """Return how much longer the present phase has to last, at least."""
    present = present_phase(state)
    needed = planned(state, present.name).min_seconds
    return max(0.0, needed - age_seconds(present.since, now))
