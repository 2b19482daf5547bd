"""What mitigations mean for the state of a system. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from ledger.domain.folding import on, with_, without
from ledger.domain.log.envelope import Recorded
from ledger.domain.state import Json, SystemState
from ledger.domain.values.moments import iso


def mitigation_key(data: Json) -> str:
    """Return what a mitigation is called in the state: its name, and its target if it has one."""
    return f"{data['mitigation']} {data.get('target', '')}".strip()


@on("MitigationRequested")
def _mitigation_requested(state: SystemState, event: Recorded, data: Json) -> SystemState:
    mitigation = {
        **data,
        "status": "requested",
        "at": iso(event.occurred_at),
        "by": event.actor.name,
        "position": event.position,
    }
    return replace(state, mitigations=with_(state.mitigations, mitigation_key(data), mitigation))


@on("MitigationApplied")
def _mitigation_applied(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    key = mitigation_key(data)
    if key not in state.mitigations:
        return state
    applied = {**state.mitigations[key], "status": "applied"}
    return replace(state, mitigations=with_(state.mitigations, key, applied))


@on("MitigationFailed", "MitigationLifted")
def _mitigation_ended(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, mitigations=without(state.mitigations, mitigation_key(data)))
