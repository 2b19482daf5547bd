"""What approvals mean for the state of a system. Pure."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from ledger.domain.approvals.state import ApprovalRequest, Grant
from ledger.domain.folding import on, with_
from ledger.domain.log.envelope import Recorded
from ledger.domain.state import Json, SystemState
from ledger.domain.values.moments import iso


@on("ApprovalRequested")
def _requested(state: SystemState, event: Recorded, data: Json) -> SystemState:
    asked = ApprovalRequest(
        subject=data["subject"],
        roles=data["roles"],
        fingerprint=data.get("fingerprint"),
        profile=data.get("profile"),
        expires_at=data["expires_at"],
        at=iso(event.occurred_at),
        by=event.actor.name,
        by_id=event.actor.id,
        status="open",
        granted=(),
    )
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
    grant = Grant(
        role=data["role"],
        id=event.actor.id,
        name=event.actor.name,
        at=iso(event.occurred_at),
        signed_on=data["signed_on"],
    )
    return _approval(state, data["request"], granted=(*asked.granted, grant))


@on("ApprovalDenied")
def _denied(state: SystemState, event: Recorded, data: Json) -> SystemState:
    return _approval(state, data["request"], status="denied", ended_by=event.actor.name)


@on("ApprovalInvalidated")
def _invalidated(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return _approval(state, data["request"], status=data["why"])
