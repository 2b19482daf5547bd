"""What mitigations mean for the state of a system. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from ledger.domain.folding import on, with_, without
from ledger.domain.log.envelope import Recorded
from ledger.domain.mitigations.state import StandingMitigation, mitigation_key
from ledger.domain.state import Json, SystemState
from ledger.domain.values.moments import iso


def _key(data: Json) -> str:
    return mitigation_key(data["mitigation"], data.get("target", ""))


@on("MitigationRequested")
def _mitigation_requested(state: SystemState, event: Recorded, data: Json) -> SystemState:
    mitigation = StandingMitigation.of(
        {
            **data,
            "status": "requested",
            "at": iso(event.occurred_at),
            "by": event.actor.name,
            "position": event.position,
        }
    )
    return replace(state, mitigations=with_(state.mitigations, mitigation.key, mitigation))


@on("MitigationApplied")
def _mitigation_applied(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    key = _key(data)
    if key not in state.mitigations:
        return state
    applied = replace(state.mitigations[key], status="applied")
    return replace(state, mitigations=with_(state.mitigations, key, applied))


@on("MitigationFailed", "MitigationLifted")
def _mitigation_ended(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, mitigations=without(state.mitigations, _key(data)))
