"""What checks, gates and waivers mean for the state of a system. Pure."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from ledger.domain.folding import on, with_, without
from ledger.domain.gates.state import JudgedGate, JudgedPreflight, Waiver
from ledger.domain.log.envelope import Recorded
from ledger.domain.state import Json, SystemState
from ledger.domain.state_part import part_of
from ledger.domain.values.moments import iso


def _judged(event: Recorded) -> dict[str, Any]:
    """Return what the envelope says of a verdict."""
    return {"at": iso(event.occurred_at), "position": event.position, "by": event.actor.name}


@on("PreflightCompleted")
def _preflight(state: SystemState, event: Recorded, data: Json) -> SystemState:
    failed = tuple(
        result["name"]
        for result in sorted(data["results"], key=lambda result: result["priority"])
        if result["result"] in {"FAIL", "ERROR", "SKIP"} and not result.get("waived_by")
    )
    return replace(state, preflight=part_of(JudgedPreflight, data, **_judged(event), failed=failed))


@on("GateEvaluated")
def _gate(state: SystemState, event: Recorded, data: Json) -> SystemState:
    counted: dict[str, int] = {}
    for criterion in data["criteria"]:
        counted[criterion["result"]] = counted.get(criterion["result"], 0) + 1
    judged = part_of(JudgedGate, data, **_judged(event), counts=counted)
    return replace(state, gates=with_(state.gates, data["phase"], judged))


@on("GateWaived")
def _waived(state: SystemState, event: Recorded, data: Json) -> SystemState:
    waiver = part_of(Waiver, data, by=event.actor.name, reason=event.reason)
    return replace(state, waivers=with_(state.waivers, data["waiver"], waiver))


@on("WaiverRevoked")
def _revoked(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, waivers=without(state.waivers, data["waiver"]))
