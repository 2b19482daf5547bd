"""What plans and phases mean for the state of a system. Pure."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from ledger.domain.folding import on, with_
from ledger.domain.log.envelope import Recorded
from ledger.domain.state import Json, SystemState, iso


@on("ProfileAdopted")
def _adopted(state: SystemState, event: Recorded, data: Json) -> SystemState:
    profile = {
        "name": data["profile"],
        "fingerprint": data["fingerprint"],
        "at": iso(event.occurred_at),
        "by": event.actor.name,
        "position": event.position,
        "phases": data.get("phases", ()),
        "guards": data.get("guards", {}),
    }
    return replace(state, profile=profile)


@on("PhaseEntered")
def _entered(state: SystemState, event: Recorded, data: Json) -> SystemState:
    phase = {
        "name": data["phase"],
        "since": iso(event.occurred_at),
        "by": event.actor.name,
        "position": event.position,
        "status": "progressing",
        "limits": data.get("limits", {}),
        "scope": data.get("scope", {}),
    }
    if data.get("before") is not None:
        phase |= {"before": data["before"], "overlaid": state.fingerprint}
    return replace(state, phase=phase, phases_done=_done_before(state, data["phase"]))


def _done_before(state: SystemState, entered: str) -> dict[str, Json]:
    """Return what was left forward, without what comes from ``entered`` on: that has to be left anew."""
    names = [phase["name"] for phase in (state.profile or {}).get("phases", ())]
    again = names[names.index(entered) :] if entered in names else [entered]
    return {name: known for name, known in state.phases_done.items() if name not in again}


def _phase(state: SystemState, name: str, **changes: Any) -> SystemState:
    if state.phase is None or state.phase["name"] != name:
        return state
    return replace(state, phase={**state.phase, **changes})


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
    left = state.phase
    done = {
        "entered": left["since"] if left is not None else None,
        "left": iso(event.occurred_at),
        "by": event.actor.name,
    }
    state = replace(state, phases_done=with_(state.phases_done, data["from_phase"], done))
    if data.get("to_phase") is None:
        return _phase(state, data["from_phase"], status="completed", left_at=done["left"])
    return state


@on("ScopeChanged")
def _scope_changed(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return _phase(state, data["phase"], scope=data["after"])
