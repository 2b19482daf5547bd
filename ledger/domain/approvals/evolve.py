"""What approvals mean for the state of a system. Pure."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from ledger.domain.approvals.state import ApprovalRequest, Grant
from ledger.domain.folding import on, with_
from ledger.domain.log.envelope import Recorded
from ledger.domain.state import Json, SystemState
from ledger.domain.state_part import part_of
from ledger.domain.values.moments import iso


@on("ApprovalRequested")
def _requested(state: SystemState, event: Recorded, data: Json) -> SystemState:
    by = event.actor
    asked = part_of(ApprovalRequest, data, at=iso(event.occurred_at), by=by.name, by_id=by.id)
    # A new request for the same takes the old one's place: the log keeps that.
    others = {
        name: other for name, other in state.approvals.items() if other.subject != asked.subject
    }
    return replace(state, approvals={**others, data["request"]: asked})


def _approval(state: SystemState, request: str, **changes: Any) -> SystemState:
    asked = state.approvals.get(request)
    if asked is None:
        return state
    return replace(state, approvals=with_(state.approvals, request, replace(asked, **changes)))


@on("ApprovalGranted")
def _granted(state: SystemState, event: Recorded, data: Json) -> SystemState:
    asked = state.approvals.get(data["request"])
    if asked is None:
        return state
    by = event.actor
    grant = part_of(Grant, data, id=by.id, name=by.name, at=iso(event.occurred_at))
    return _approval(state, data["request"], granted=(*asked.granted, grant))


@on("ApprovalDenied")
def _denied(state: SystemState, event: Recorded, data: Json) -> SystemState:
    return _approval(state, data["request"], status="denied", ended_by=event.actor.name)


@on("ApprovalInvalidated")
def _invalidated(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return _approval(state, data["request"], status=data["why"])
