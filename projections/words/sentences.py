"""What happened, as a person would say it: one sentence an event, beginning after the actor's name.

A sentence names what the event's data hold, or a word of `_WORDS`, which is made of them. What stands between
``<`` and ``>`` is left out where there is nothing to name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

Data = Mapping[str, Any]
SHORT_DIGITS: Final = 12
KEYS_SHOWN: Final = 3
LIMITS_SHOWN: Final = 4
_OPTIONAL: Final = re.compile(r"<([^<>]*{(\w+)[^<>]*)>")


def sentence(type_: str, data: Data) -> str:
    """Return what the event's actor did: ``switched mock -> real``. Unknown types are named."""
    words = _Words(data)
    template = _SENTENCES.get(type_)
    if template is None:
        return f"recorded {type_}, which this version does not know"
    if "<" in template:
        template = _OPTIONAL.sub(lambda part: part[1] if words.has(part[2]) else "", template)
    return template.format_map(words)


class _Words(dict[str, Any]):
    """An event's data, with the words that are made of them."""

    def __missing__(self, name: str) -> Any:
        return _WORDS[name](self)

    def has(self, name: str) -> bool:
        """Tell whether there is something to say under the name."""
        return bool(self[name] if name in _WORDS else self.get(name))


def short(fingerprint: str | None) -> str:
    """Return the first digits of a fingerprint, enough to type: ``3f9c1a2b77d0``."""
    return fingerprint.removeprefix("sha256:")[:SHORT_DIGITS] if fingerprint else "nothing"


def mode_text(mode: str | None, kind: str | None = None) -> str:
    """Return a mode as people read it: ``paused/halt``."""
    if mode is None:
        return "never switched"
    return f"{mode}/{kind}" if kind else mode


def changes_text(changes: Any) -> str:
    """Return a few of the changed keys by name, and how many more there are."""
    shown = [_change(change) for change in changes[:KEYS_SHOWN]]
    more = len(changes) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _change(change: Data) -> str:
    old, new = change.get("old"), change.get("new")
    if old is None:
        return f"{change['key']} = {new}"
    return f"{change['key']} {old} → {new}" if new is not None else f"{change['key']} removed"


def _alert(key: str) -> str:
    """Return an alert's name as it is read: ``Name (slice tokyo)``."""
    name, _, labels = key.partition("{")
    return f"{name} ({labels.rstrip('}')})" if labels else name


def _moved(data: Data) -> str:
    before = mode_text(data.get("from_mode"), data.get("from_kind"))
    after = mode_text(data["to_mode"], data.get("to_kind"))
    if data.get("from_mode") is None:
        return f"switched to {after}"
    return f"switched {before} → {after}" if before != after else f"put it into {after}"


def _carried(data: Data) -> str:
    if data["carried_by"] == "nothing":
        return "in the ledger only: no way to the system is registered"
    return f"by {data['carried_by']} in {data.get('took_ms', 0)} ms"


def _not_switched(data: Data) -> str:
    mode = mode_text(data["to_mode"], data.get("to_kind"))
    if all(attempt["outcome"] in {"failed", "refused"} for attempt in data["attempts"]):
        return f"could not switch to {mode}"
    return f"got no confirmation of {mode} within {data['waited_ms']} ms"


CAUSES: Final = {
    "apply": "applied",
    "rollback": "put back",
    "import": "imported",
    "found": "found in place",
    "declared": "declared",
}


def _in_force(data: Data) -> str:
    changes = data["changes"]
    if not changes:
        return ", with no key changed"
    if data.get("previous") is None:
        return f", the first: {len(changes)} key" + ("s" if len(changes) > 1 else "")
    return f": {changes_text(changes)}"


def _advanced(data: Data) -> str:
    if data.get("to_phase") is None:
        return f"completed the rollout: {data['from_phase']} was the last phase"
    return f"advanced from {data['from_phase']} to {data['to_phase']}"


def _scope(scope: Mapping[str, Any]) -> str:
    return (
        "; ".join(f"{name} {', '.join(values) or 'none'}" for name, values in scope.items())
        or "nothing"
    )


def _counted(judged: Any) -> str:
    counts: dict[str, int] = {}
    for each in judged:
        counts[each["result"]] = counts.get(each["result"], 0) + 1
    return ", ".join(f"{count} {result}" for result, count in counts.items()) or "none"


_STEP_DONE: Final = {
    "already": "was in place already",
    "written": "is back",
    "checked_out": "is back",
    "restarted": "is done",
}
_HOW_RESOLVED: Final = {
    "condition_cleared": "the condition cleared",
    "manual": "by hand",
    "expired": "it expired",
}
_ACTED: Final = {
    "done": "acted on {alert_name} by {action}",
    "skipped": "did nothing about {alert_name} ({action})",
    "failed": "could not act on {alert_name} by {action}",
}

_WORDS: Final[dict[str, Callable[[Data], Any]]] = {
    "acted": lambda data: _ACTED[data["outcome"]].format_map(_Words(data)),
    "advanced": _advanced,
    "alert_name": lambda data: _alert(data["alert"]),
    "alert_that_fires": lambda data: _alert(data["by"]),
    "carried": _carried,
    "changed": lambda data: len(data.get("changes") or ()),
    "config": lambda data: short(data["fingerprint"]),
    "config_after": lambda data: short(data["to_fingerprint"]),
    "config_before": lambda data: short(data.get("from_fingerprint")),
    "criteria_counted": lambda data: _counted(data["criteria"]),
    "difference": lambda data: (
        changes_text(data["changes"])
        if data.get("changes")
        else f"{data['expected']} → {data['found']}"
    ),
    "done": lambda data: _STEP_DONE[data["outcome"]],
    "file_names": lambda data: ", ".join(file["name"] for file in data["files"]),
    "number_completed": lambda data: len(data["completed"]),
    "number_abandoned": lambda data: len(data["abandoned"]),
    "how_ended": lambda data: data.get("signal") or f"exit {data.get('exit_code')}",
    "how_lifted": lambda data: data["how"].replace("_", " "),
    "how_resolved": lambda data: _HOW_RESOLVED.get(data["how"], data["how"]),
    "in_force": _in_force,
    "in_mode": lambda data: mode_text(data["mode"], data.get("kind")),
    "left_out": lambda data: len(data.get("skipped") or ()),
    "first_limits": lambda data: ", ".join(
        f"{key} {value}" for key, value in list(data["limits"].items())[:LIMITS_SHOWN]
    ),
    "measure": lambda data: (
        data["mitigation"] + (f" of {data['target']}" if data.get("target") else "")
    ),
    "wanted_mode": lambda data: mode_text(data["to_mode"], data.get("to_kind")),
    "mode_before": lambda data: mode_text(data.get("from_mode")),
    "moved": _moved,
    "no_more": lambda data: "; given up" if data.get("given_up") else "",
    "not_switched": _not_switched,
    "number_of_files": lambda data: len(data["files"]),
    "number_of_samples": lambda data: len(data["samples"]),
    "put_in_force": lambda data: CAUSES.get(data["cause"], data["cause"]),
    "results_counted": lambda data: _counted(data["results"]),
    "scope_after": lambda data: _scope(data["after"]),
    "scope_before": lambda data: _scope(data["before"]),
    "signatures": lambda data: ", ".join(f"{n} × {role}" for role, n in data["roles"].items()),
    "silenced": lambda data: ", ".join(f"{k} {value}" for k, value in data["matchers"].items()),
    "waived": lambda data: data["subject"].removeprefix("break-glass:"),
    "waiving": lambda data: "broke the glass for" if data.get("break_glass") else "waived",
    "why_no_more": lambda data: data["why"].replace("_", " "),
}

_SENTENCES: Final[dict[str, str]] = {
    # The ledger
    "LedgerCreated": "created the ledger {ledger_id}",
    "SecretKeyAdopted": "adopted the key {key_id} for digests of secrets",
    "EventCorrected": "corrected #{position}: {correction}",
    "EventUnreadable": "recorded {type}, which can't be read: {explanation}",
    "HistoryImported": "imported {imported} of {records} records from {source} "
    "({already_known} known already<, {left_out} skipped>)",
    "BackupCreated": "backed the log up to #{position}, as {backup} ({bytes:,} bytes)",
    "BackupVerified": "restored the backup {backup} to try it, and found it whole",
    "ReportGenerated": "made the {report} report< on the run {run}>: {number_of_files} files, "
    "#{from_position} to #{to_position}",
    # Systems and modes
    "SystemRegistered": "registered the system ({environment})",
    "SystemChanged": "changed the system's registration ({environment})",
    "StateRecovered": "recovered the system: {number_completed} finished, {number_abandoned} given up"
    "<, {spooled} events from the spool>",
    "ModeSwitchRequested": "asked for {wanted_mode}<, the glass broken by {break_glass}>",
    "ModeSwitched": "{moved}, {carried}",
    "ModeSwitchRejected": "was refused {mode_before} → {to_mode}: {explanation}",
    "ModeSwitchUnconfirmed": "{not_switched}: {explanation}",
    "ModeReasonGiven": "said why it is {in_mode}",
    "ModeSwitchAbandoned": "gave up the switch to {to_mode}: {explanation}",
    # Configurations and rollbacks
    "ConfigRegistered": "registered configuration {config} ({file_names})",
    "ConfigApplyRequested": "began to apply configuration {config}<, to enter {phase[phase]}>",
    "ConfigApplied": "{put_in_force} configuration {config}{in_force}",
    "ConfigApplyFailed": "could not apply configuration {config}: {explanation}",
    "FingerprintTagged": "tagged configuration {config} as {tag}",
    "FingerprintMarkedStable": "marked configuration {config} as stable",
    "FingerprintQuarantined": "quarantined configuration {config}",
    "RollbackRequested": "began a rollback {config_before} → {config_after} ({selector})"
    "<, and the code to {code[ref]}>",
    "RollbackStepCompleted": "rolled back, step {step}: {name} {done}",
    "RollbackCompleted": "rolled back {config_before} → {config_after}",
    "RollbackFailed": "could not finish the rollback, at step {step}: {explanation}",
    "RollbackAbandoned": "gave up the rollback: {explanation}",
    "DriftDetected": "found the {subject} changed by hand: {difference}",
    "DriftCleared": "found the {subject} as the ledger has it again",
    # Plans, gates and approvals
    "ProfileAdopted": "adopted the plan {profile} ({config})<: {changed} keys changed>",
    "PhaseEntered": "entered the phase {phase}< ({first_limits})><, the glass broken by {break_glass}>",
    "PhaseHeld": "held the phase {phase}",
    "PhaseReleased": "released the phase {phase}",
    "PhaseAdvanced": "{advanced}",
    "PhaseAborted": "gave the rollout up in {phase}",
    "ScopeChanged": "changed the scope of {phase}: {scope_before} → {scope_after}",
    "PreflightCompleted": "ran the preflight: {verdict} ({results_counted})",
    "GateEvaluated": "evaluated the exit gate of {phase}: {verdict} ({criteria_counted})",
    "GateWaived": "{waiving} {waived} until {until} ({waiver})",
    "WaiverRevoked": "revoked the waiver {waiver}",
    "ApprovalRequested": "asked for approval of {subject} by {signatures} ({request})",
    "ApprovalGranted": "approved {request} as {role}, signed on {signed_on}",
    "ApprovalDenied": "denied {request} as {role}",
    "ApprovalInvalidated": "found that {request} counts no more ({why_no_more})",
    # Alerts, incidents and mitigations
    "AlertPending": "found the condition of {alert_name} to hold, since {active_since}",
    "AlertFired": "raised the {severity} alert {alert_name}: {message}",
    "AlertAcknowledged": "acknowledged the alert {alert_name}",
    "AlertResolved": "resolved the alert {alert_name} ({how_resolved})",
    "AlertClearingBegun": "saw the condition of {alert_name} end",
    "AlertClearingCancelled": "saw the condition of {alert_name} return",
    "NoDataDetected": "has had no data for {alert_name} since {since}",
    "DataReturned": "has data for {alert_name} again, after {frozen_seconds} s",
    "EvaluationFailed": "could not evaluate {rule}: {explanation}",
    "EvaluationRecovered": "can evaluate {rule} again",
    "AlertActionTaken": "{acted}<: {explanation}>",
    "AlertSilenced": "silenced {silenced} until {until} ({silence})",
    "SilenceLifted": "lifted the silence {silence} ({how})",
    "AlertInhibited": "tells nobody of {alert_name} while {alert_that_fires} fires",
    "InhibitionLifted": "tells of {alert_name} again",
    "NotificationDelivered": "told {channel}: {subject}",
    "NotificationFailed": "could not tell {channel} that {subject}: {explanation}{no_more}",
    "IncidentOpened": "opened the {severity} incident {incident}: {title}",
    "IncidentNoted": "noted on {incident}: {note}",
    "IncidentAcknowledged": "acknowledged {incident}",
    "IncidentMitigated": "mitigated {incident}: {action}",
    "IncidentResolved": "resolved {incident}<: {resolution}>",
    "IncidentClosed": "closed {incident}",
    "MitigationRequested": "asked for {measure}, until {until}",
    "MitigationApplied": "applied {measure}",
    "MitigationFailed": "could not apply {measure}: {explanation}",
    "MitigationLifted": "lifted {measure} ({how_lifted})",
    # Runs and observations
    "RunStarted": "started the run {run} (process {pid} on {host})",
    "RunStopped": "saw the run {run} end after {seconds} s ({how_ended})",
    "CrashDetected": "saw the run {run} crash: {explanation}",
    "WatchStarted": "began to watch, with {rules} rules over {sources} sources"
    "<; nobody had watched for {silent_seconds} s>",
    "WatchStopped": "stopped watching: {explanation}",
    "MetricsRecorded": "recorded {number_of_samples} samples",
    "OrderActivityRecorded": "recorded {kind}",
}
