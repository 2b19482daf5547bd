"""What plans and phases mean for the state of a system. Pure."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from ledger.domain.folding import on, with_
from ledger.domain.log.envelope import Recorded
from ledger.domain.plans.state import PhaseLeft, PlanInForce, PresentPhase
from ledger.domain.state import Json, SystemState
from ledger.domain.state_part import part_of
from ledger.domain.values.moments import iso


@on("ProfileAdopted")
def _adopted(state: SystemState, event: Recorded, data: Json) -> SystemState:
    profile = part_of(
        PlanInForce,
        data,
        name=data["profile"],
        at=iso(event.occurred_at),
        by=event.actor.name,
        position=event.position,
    )
    return replace(state, profile=profile)


@on("PhaseEntered")
def _entered(state: SystemState, event: Recorded, data: Json) -> SystemState:
    phase = part_of(
        PresentPhase,
        data,
        name=data["phase"],
        since=iso(event.occurred_at),
        by=event.actor.name,
        position=event.position,
        status="progressing",
        overlaid=state.fingerprint if data.get("before") is not None else None,
    )
    return replace(state, phase=phase, phases_done=_done_before(state, phase.name))


def _done_before(state: SystemState, entered: str) -> dict[str, PhaseLeft]:
    """Return what was left forward, without what comes from ``entered`` on: that has to be left anew."""
    names = [phase.name for phase in state.profile.phases] if state.profile is not None else []
    again = names[names.index(entered) :] if entered in names else [entered]
    return {name: left for name, left in state.phases_done.items() if name not in again}


def _phase(state: SystemState, name: str, **changes: Any) -> SystemState:
    if state.phase is None or state.phase.name != name:
        return state
    return replace(state, phase=replace(state.phase, **changes))


@on("PhaseHeld")
def _held(state: SystemState, event: Recorded, data: Json) -> SystemState:
    return _phase(
        state, data["phase"], status="held", held_by=event.actor.name, held_reason=event.reason
    )


@on("PhaseReleased")
def _released(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return _phase(state, data["phase"], status="progressing")


@on("PhaseAborted")
def _aborted(state: SystemState, event: Recorded, data: Json) -> SystemState:
    return _phase(state, data["phase"], status="aborted", left_at=iso(event.occurred_at))


@on("PhaseAdvanced")
def _advanced(state: SystemState, event: Recorded, data: Json) -> SystemState:
    left = PhaseLeft(
        entered=state.phase.since if state.phase is not None else None,
        left=iso(event.occurred_at),
        by=event.actor.name,
    )
    state = replace(state, phases_done=with_(state.phases_done, data["from_phase"], left))
    if data.get("to_phase") is None:
        return _phase(state, data["from_phase"], status="completed", left_at=left.left)
    return state


@on("ScopeChanged")
def _scope_changed(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return _phase(
        state, data["phase"], scope={name: tuple(values) for name, values in data["after"].items()}
    )
