"""What rollbacks mean for the state of a system. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from ledger.domain.folding import begun, decided, ended, on, superseded, with_
from ledger.domain.log.envelope import Recorded
from ledger.domain.operations import RollbackOperation
from ledger.domain.rollbacks.state import RollbackIntent
from ledger.domain.state import Json, SystemState


@on("RollbackRequested")
def _rollback_requested(state: SystemState, event: Recorded, data: Json) -> SystemState:
    rollback = RollbackOperation(
        **decided(event),
        intent=RollbackIntent.of(data),
        overtaken=superseded(event, state.applied_at),
    )
    return begun(state, event, rollback)


@on("RollbackStepCompleted")
def _rollback_step(state: SystemState, event: Recorded, data: Json) -> SystemState:
    operation = state.operations.get(str(event.operation))
    if operation is None:
        return state
    done = replace(operation, steps=(*operation.steps, data["step"]))
    return replace(state, operations=with_(state.operations, str(event.operation), done))


@on("RollbackFailed")
def _rollback_failed(state: SystemState, event: Recorded, data: Json) -> SystemState:
    operation = state.operations.get(str(event.operation))
    if operation is None:
        return state
    failed = replace(operation, failed=data["explanation"])
    return replace(state, operations=with_(state.operations, str(event.operation), failed))


@on("RollbackCompleted", "RollbackAbandoned")
def _rollback_ended(state: SystemState, event: Recorded, _data: Json) -> SystemState:
    return ended(state, event)
