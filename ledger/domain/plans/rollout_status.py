"""Where a rollout stands, in one word (the words are Argo Rollouts')."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from ledger.domain.approvals.decide import missing, open_request
from ledger.domain.errors import LedgerError
from ledger.domain.plans.decide import next_phase, planned, remaining_seconds
from ledger.domain.state import SystemState


class RolloutStatus(StrEnum):
    """The status of a rollout, in one word."""

    PENDING = "Pending"
    """There is a plan, and no phase was entered."""
    PROGRESSING = "Progressing"
    BAKING = "Baking"
    """The phase has not lasted as long as the plan wants."""
    PAUSED = "Paused"
    """Held by somebody, or the system is paused."""
    AWAITING_APPROVAL = "AwaitingApproval"
    COMPLETED = "Completed"
    ABORTED = "Aborted"
    ROLLING_BACK = "RollingBack"
    ROLLED_BACK = "RolledBack"
    """What runs was put back in this phase."""
    DEGRADED = "Degraded"
    """What runs is not what was decided, or a critical alert is open."""


def rollout_status(state: SystemState, now: datetime) -> RolloutStatus | None:
    """Return where the rollout of ``state`` stands at ``now``; None: it has no plan."""
    if state.profile is None:
        return None
    if any(operation.kind == "rollback" for operation in state.operations.values()):
        return RolloutStatus.ROLLING_BACK
    if state.phase is None:
        return RolloutStatus.PENDING
    if state.phase.is_over:
        return RolloutStatus(state.phase.status.capitalize())
    if state.drift or any(alert.severity == "critical" for alert in state.alerts.values()):
        return RolloutStatus.DEGRADED
    if state.phase.status == "held" or state.mode == "paused":
        return RolloutStatus.PAUSED
    if state.applied_cause == "rollback" and (state.applied_at or "") > state.phase.since:
        return RolloutStatus.ROLLED_BACK
    return _under_way(state, now)


def _under_way(state: SystemState, now: datetime) -> RolloutStatus:
    try:
        if remaining_seconds(state, now) > 0:
            return RolloutStatus.BAKING
        following = next_phase(state)
        quorum = planned(state, following.name).approvals if following else None
    except LedgerError:  # the plan was changed, and has no such phase any more
        return RolloutStatus.PROGRESSING
    if following is None or not quorum:
        return RolloutStatus.PROGRESSING
    request = open_request(state, f"phase:{following.name}", now)
    if request is None or missing(state.approvals[request]):
        return RolloutStatus.AWAITING_APPROVAL
    return RolloutStatus.PROGRESSING
