"""Where a rollout stands: its plan, phases, gates, approvals, mitigations, runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ledger.domain.folding import on, with_, with_code, without
from ledger.domain.log.envelope import Recorded
from ledger.domain.state import Json, SystemState, iso, replace


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


# --- phases ---


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


# --- checks, gates, waivers ---


def _judged(event: Recorded, data: Json) -> dict[str, Any]:
    return {
        "verdict": data["verdict"],
        "at": iso(event.occurred_at),
        "position": event.position,
        "by": event.actor.name,
        "fingerprint": data.get("fingerprint"),
        "profile": data.get("profile"),
        "waivers": data.get("waivers", ()),
    }


@on("PreflightCompleted")
def _preflight(state: SystemState, event: Recorded, data: Json) -> SystemState:
    failed = [
        result["name"]
        for result in sorted(data["results"], key=lambda result: result["priority"])
        if result["result"] in {"FAIL", "ERROR", "SKIP"} and not result.get("waived_by")
    ]
    return replace(state, preflight={**_judged(event, data), "failed": failed})


@on("GateEvaluated")
def _gate(state: SystemState, event: Recorded, data: Json) -> SystemState:
    counted: dict[str, int] = {}
    for criterion in data["criteria"]:
        counted[criterion["result"]] = counted.get(criterion["result"], 0) + 1
    judged = {**_judged(event, data), "counts": counted}
    return replace(state, gates=with_(state.gates, data["phase"], judged))


@on("GateWaived")
def _waived(state: SystemState, event: Recorded, data: Json) -> SystemState:
    waiver = {
        "subject": data["subject"],
        "until": data["until"],
        "by": event.actor.name,
        "reason": event.reason,
        "break_glass": data.get("break_glass", False),
    }
    return replace(state, waivers=with_(state.waivers, data["waiver"], waiver))


@on("WaiverRevoked")
def _revoked(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, waivers=without(state.waivers, data["waiver"]))


# --- approvals ---


@on("ApprovalRequested")
def _requested(state: SystemState, event: Recorded, data: Json) -> SystemState:
    request = {
        "subject": data["subject"],
        "roles": data["roles"],
        "fingerprint": data.get("fingerprint"),
        "profile": data.get("profile"),
        "expires_at": data["expires_at"],
        "at": iso(event.occurred_at),
        "by": event.actor.name,
        "by_id": event.actor.id,
        "status": "open",
        "granted": [],
    }
    # A new request for the same takes the old one's place: the log keeps that.
    others = {
        name: known
        for name, known in state.approvals.items()
        if known["subject"] != data["subject"]
    }
    return replace(state, approvals={**others, data["request"]: request})


def _approval(state: SystemState, request: str, **changes: Any) -> SystemState:
    known = state.approvals.get(request)
    if known is None:
        return state
    return replace(state, approvals=with_(state.approvals, request, {**known, **changes}))


@on("ApprovalGranted")
def _granted(state: SystemState, event: Recorded, data: Json) -> SystemState:
    known: Mapping[str, Any] = state.approvals.get(data["request"], {})
    grant = {
        "role": data["role"],
        "id": event.actor.id,
        "name": event.actor.name,
        "at": iso(event.occurred_at),
        "signed_on": data["signed_on"],
    }
    return _approval(state, data["request"], granted=[*known.get("granted", ()), grant])


@on("ApprovalDenied")
def _denied(state: SystemState, event: Recorded, data: Json) -> SystemState:
    return _approval(state, data["request"], status="denied", ended_by=event.actor.name)


@on("ApprovalInvalidated")
def _invalidated(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return _approval(state, data["request"], status=data["why"])


# --- mitigations ---


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


# --- runs and the watch ---


@on("RunStarted")
def _run_started(state: SystemState, event: Recorded, data: Json) -> SystemState:
    run = {
        "run": data["run"],
        "pid": data["pid"],
        "host": data["host"],
        "command": data["command"],
        "since": iso(event.occurred_at),
        "position": event.position,
        "status": "running",
    }
    return replace(with_code(state, event), run=run)


_RUN_STATUS: Final = {"RunStopped": "stopped", "CrashDetected": "crashed"}


@on(*_RUN_STATUS)
def _run_ended(state: SystemState, event: Recorded, data: Json) -> SystemState:
    if event.type == "CrashDetected":
        state = replace(state, last_crash_at=iso(event.occurred_at))
    if state.run is None or state.run["run"] != data["run"]:
        return state
    ended = {
        **state.run,
        "status": _RUN_STATUS[event.type],
        "ended": iso(event.occurred_at),
        "exit_code": data.get("exit_code"),
        "signal": data.get("signal"),
    }
    return replace(state, run=ended)


@on("WatchStarted")
def _watch_started(state: SystemState, event: Recorded, data: Json) -> SystemState:
    watch = {"host": data["host"], "pid": data["pid"], "since": iso(event.occurred_at)}
    return replace(state, watch=watch)


@on("WatchStopped")
def _watch_stopped(state: SystemState, _event: Recorded, _data: Json) -> SystemState:
    return replace(state, watch=None)
