"""Where a rollout stands: as a record, with what this machine alone knows of who watches over it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict

import msgspec

from ledger.domain.alerts.state import EvaluationFailure, PendingAlert, Silence
from ledger.domain.approvals.state import ApprovalRequest
from ledger.domain.gates.state import JudgedGate, Waiver
from ledger.domain.gates.verdicts import standing_waivers
from ledger.domain.plans.rollout_status import rollout_status
from ledger.domain.plans.state import PresentPhase
from ledger.domain.state import SystemState
from ledger.domain.values.durations import duration_text
from ledger.domain.values.moments import iso
from ledger.service.core.plan_in_force import plan_of
from ledger.service.gates.preflight import departures, departures_text
from ledger.service.plans import phases
from ledger.service.watch.heartbeat import last_beat, silent_for
from runtime.wiring import Runtime


@dataclass(frozen=True, slots=True)
class Sign:
    """When the watch last showed, as far as this machine knows, and how long too long ago that is."""

    last: datetime | None
    silent_seconds: int | None


class RolloutRecord(TypedDict):
    """Where a rollout stands."""

    status: str | None
    profile: str | None
    phase: PresentPhase | None
    preflight: Mapping[str, Any] | None
    """What was judged, and by what it departed from the plan."""
    gates: Mapping[str, JudgedGate]
    waivers: Mapping[str, Waiver]
    approvals: Mapping[str, ApprovalRequest]
    pending_alerts: Mapping[str, PendingAlert]
    no_data: Mapping[str, str]
    mitigations: Mapping[str, Mapping[str, Any]]
    silences: Mapping[str, Silence]
    failing: Mapping[str, EvaluationFailure]
    run: Mapping[str, Any] | None
    watch: Mapping[str, Any] | None
    """Who watches, when that one last showed, and for how long too long it has not."""


def rollout_record(
    state: SystemState, now: datetime, sign: Sign, judged_with: str = ""
) -> RolloutRecord:
    """Return where the rollout stands, for programs."""
    status = rollout_status(state, now)
    watch = {
        "last_sign": iso(sign.last) if sign.last is not None else None,
        "silent_seconds": sign.silent_seconds,
    }
    return {
        "status": status.value if status is not None else None,
        "profile": state.profile.name if state.profile is not None else None,
        "phase": state.phase,
        "preflight": {**msgspec.to_builtins(state.preflight), "judged_with": judged_with}
        if state.preflight is not None
        else None,
        "gates": state.gates,
        "waivers": standing_waivers(state, now),
        "approvals": state.approvals,
        "pending_alerts": state.pending,
        "no_data": dict(state.no_data),
        "mitigations": {key: mitigation.to_json() for key, mitigation in state.mitigations.items()},
        "silences": {k: s for k, s in state.silences.items() if s.until > iso(now)},
        "failing": state.failing,
        "run": state.run.to_json() if state.run else None,
        "watch": {**state.watch.to_json(), **watch} if state.watch else None,
    }


def judged_with(runtime: Runtime, state: SystemState) -> str:
    """Return by what the last preflight judged otherwise than the plan says."""
    if state.preflight is None:
        return ""
    return departures_text(departures(runtime.ledger, state.preflight.position))


def problems_beside(runtime: Runtime, state: SystemState, now: datetime) -> list[str]:
    """Return, as sentences, what is wrong and not in the log: nobody watches, or a limit is exceeded."""
    problems: list[str] = []
    silent = sign_of(runtime, state, now).silent_seconds
    if silent is not None and state.mode == "real":
        span = duration_text(timedelta(seconds=silent), parts=2)
        problems.append(f"nobody watches, and it is in real: no sign of life for {span}")
    if state.phase is not None and not state.phase.is_over and state.profile is not None:
        broken = phases.breaches_in_force(runtime.ledger, state)
        if broken:
            problems.append(
                f"the configuration in force is not that of {state.phase.name}: {'; '.join(broken)}"
            )
    return problems


def sign_of(runtime: Runtime, state: SystemState, now: datetime) -> Sign:
    """Return what this machine knows of the one who watches, if somebody should."""
    if state.watch is None or state.profile is None:
        return Sign(None, None)
    if state.watch.host != socket.gethostname():
        return Sign(None, None)  # its sign of life is on the other machine
    last = last_beat(runtime.settings.home, state.system)
    last = last or datetime.fromisoformat(state.watch.since)
    allowed = plan_of(runtime.ledger, state).profile.watch.dead_man
    return Sign(last, silent_for(last, now, allowed))
