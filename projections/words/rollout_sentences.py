"""What happened to a rollout's plan, gates, alerts by rule, mitigations and runs, as sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Data = Mapping[str, Any]


def _short(fingerprint: str) -> str:
    return fingerprint.removeprefix("sha256:")[:12]


def _adopted(data: Data) -> str:
    what = f"adopted the plan {data['profile']} ({_short(data['fingerprint'])})"
    changed = len(data.get("changes") or ())
    return f"{what}: {changed} keys changed" if changed else what


def _entered(data: Data) -> str:
    limits = ", ".join(f"{key} {value}" for key, value in list(data["limits"].items())[:4])
    glass = f", the glass broken by {data['break_glass']}" if data.get("break_glass") else ""
    return f"entered the phase {data['phase']}" + (f" ({limits})" if limits else "") + glass


def _advanced(data: Data) -> str:
    if data.get("to_phase") is None:
        return f"completed the rollout: {data['from_phase']} was the last phase"
    return f"advanced from {data['from_phase']} to {data['to_phase']}"


def _scope(scope: Mapping[str, Any]) -> str:
    return "; ".join(f"{name} {', '.join(values) or 'none'}" for name, values in scope.items())


def _counted(items: Any) -> str:
    counts: dict[str, int] = {}
    for item in items:
        counts[item["result"]] = counts.get(item["result"], 0) + 1
    return ", ".join(f"{count} {result}" for result, count in counts.items()) or "none"


def _preflight(data: Data) -> str:
    return f"ran the preflight: {data['verdict']} ({_counted(data['results'])})"


def _gate(data: Data) -> str:
    return f"evaluated the exit gate of {data['phase']}: {data['verdict']} ({_counted(data['criteria'])})"


def _waived(data: Data) -> str:
    verb = "broke the glass for" if data.get("break_glass") else "waived"
    return f"{verb} {data['subject'].removeprefix('break-glass:')} until {data['until']} ({data['waiver']})"


def _requested(data: Data) -> str:
    roles = ", ".join(f"{count} × {role}" for role, count in data["roles"].items())
    return f"asked for approval of {data['subject']} by {roles} ({data['request']})"


def _pending(data: Data) -> str:
    return f"found the condition of {alert_text(data)} to hold, since {data['active_since']}"


def alert_text(data: Data) -> str:
    """Return an alert's name as it is read: ``Name (slice tokyo)``."""
    name, _, labels = data["alert"].partition("{")
    return f"{name} ({labels.rstrip('}')})" if labels else name


def _acted(data: Data) -> str:
    why = f": {data['explanation']}" if data.get("explanation") else ""
    verb = {
        "done": f"acted on {alert_text(data)} by {data['action']}",
        "skipped": f"did nothing about {alert_text(data)} ({data['action']})",
        "failed": f"could not act on {alert_text(data)} by {data['action']}",
    }
    return verb[data["outcome"]] + why


def _silenced(data: Data) -> str:
    what = ", ".join(f"{name} {value}" for name, value in data["matchers"].items())
    return f"silenced {what} until {data['until']} ({data['silence']})"


def _mitigation(data: Data) -> str:
    return f"{data['mitigation']} of {data['target']}" if data.get("target") else data["mitigation"]


def _stopped(data: Data) -> str:
    how = data.get("signal") or f"exit {data.get('exit_code')}"
    return f"saw the run {data['run']} end after {data['seconds']} s ({how})"


def _watch_started(data: Data) -> str:
    silent = data.get("silent_seconds")
    gap = f"; nobody had watched for {silent} s" if silent else ""
    return f"began to watch, with {data['rules']} rules over {data['sources']} sources{gap}"


TELL: Final[dict[str, Callable[[Data], str]]] = {
    "ProfileAdopted": _adopted,
    "PhaseEntered": _entered,
    "PhaseHeld": lambda data: f"held the phase {data['phase']}",
    "PhaseReleased": lambda data: f"released the phase {data['phase']}",
    "PhaseAdvanced": _advanced,
    "PhaseAborted": lambda data: f"gave the rollout up in {data['phase']}",
    "ScopeChanged": lambda data: (
        f"changed the scope of {data['phase']}: "
        f"{_scope(data['before']) or 'nothing'} → {_scope(data['after']) or 'nothing'}"
    ),
    "PreflightCompleted": _preflight,
    "GateEvaluated": _gate,
    "GateWaived": _waived,
    "WaiverRevoked": lambda data: f"revoked the waiver {data['waiver']}",
    "ApprovalRequested": _requested,
    "ApprovalGranted": lambda data: (
        f"approved {data['request']} as {data['role']}, signed on {data['signed_on']}"
    ),
    "ApprovalDenied": lambda data: f"denied {data['request']} as {data['role']}",
    "ApprovalInvalidated": lambda data: (
        f"found that {data['request']} counts no more ({data['why'].replace('_', ' ')})"
    ),
    "AlertPending": _pending,
    "AlertClearingBegun": lambda data: f"saw the condition of {alert_text(data)} end",
    "AlertClearingCancelled": lambda data: f"saw the condition of {alert_text(data)} return",
    "NoDataDetected": lambda data: f"has had no data for {alert_text(data)} since {data['since']}",
    "DataReturned": lambda data: (
        f"has data for {alert_text(data)} again, after {data['frozen_seconds']} s"
    ),
    "EvaluationFailed": lambda data: f"could not evaluate {data['rule']}: {data['explanation']}",
    "EvaluationRecovered": lambda data: f"can evaluate {data['rule']} again",
    "AlertActionTaken": _acted,
    "AlertSilenced": _silenced,
    "SilenceLifted": lambda data: f"lifted the silence {data['silence']} ({data['how']})",
    "AlertInhibited": lambda data: (
        f"tells nobody of {alert_text(data)} while {alert_text({'alert': data['by']})} fires"
    ),
    "InhibitionLifted": lambda data: f"tells of {alert_text(data)} again",
    "MitigationRequested": lambda data: f"asked for {_mitigation(data)}, until {data['until']}",
    "MitigationApplied": lambda data: f"applied {_mitigation(data)}",
    "MitigationFailed": lambda data: f"could not apply {_mitigation(data)}: {data['explanation']}",
    "MitigationLifted": lambda data: (
        f"lifted {_mitigation(data)} ({data['how'].replace('_', ' ')})"
    ),
    "NotificationDelivered": lambda data: f"told {data['channel']}: {data['subject']}",
    "NotificationFailed": lambda data: (
        f"could not tell {data['channel']} that {data['subject']}: {data['explanation']}"
        + ("; given up" if data.get("given_up") else "")
    ),
    "RunStarted": lambda data: (
        f"started the run {data['run']} (process {data['pid']} on {data['host']})"
    ),
    "RunStopped": _stopped,
    "CrashDetected": lambda data: f"saw the run {data['run']} crash: {data['explanation']}",
    "WatchStarted": _watch_started,
    "WatchStopped": lambda data: f"stopped watching: {data['explanation']}",
}
