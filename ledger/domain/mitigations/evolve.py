"""What mitigations mean for the state of a system. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from ledger.domain.folding import decided, on, with_, without
from ledger.domain.log.envelope import Recorded
from ledger.domain.mitigations.state import MitigationIntent, StandingMitigation, mitigation_key
from ledger.domain.operations import MitigateOperation
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
    state = replace(state, mitigations=with_(state.mitigations, mitigation.key, mitigation))
    if event.operation is None:  # as the first release recorded them
        return state
    operation = MitigateOperation(**decided(event), intent=MitigationIntent.of(data))
    return replace(state, operations=with_(state.operations, event.operation, operation))


@on("MitigationApplied")
def _mitigation_applied(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    key = _key(data)
    state = _operation_ended(state, key)
    if key not in state.mitigations:
        return state
    applied = replace(state.mitigations[key], status="applied")
    return replace(state, mitigations=with_(state.mitigations, key, applied))


@on("MitigationFailed", "MitigationLifted")
def _mitigation_ended(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    key = _key(data)
    return replace(_operation_ended(state, key), mitigations=without(state.mitigations, key))


def _operation_ended(state: SystemState, key: str) -> SystemState:
    """Return ``state`` without what was begun for a mitigation, whoever wrote the file: it holds them all."""
    ended = [
        id_
        for id_, begun in state.operations.items()
        if isinstance(begun, MitigateOperation) and begun.intent.key == key
    ]
    return replace(state, operations=without(state.operations, *ended)) if ended else state
