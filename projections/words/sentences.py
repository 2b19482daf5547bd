"""What happened, as a person would say it: one sentence an event, beginning after the actor's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from projections.words import rollout_sentences
from projections.words.rollout_sentences import alert_text

Data = Mapping[str, Any]
SHORT_DIGITS: Final = 12
KEYS_SHOWN: Final = 3


def sentence(type_: str, data: Data) -> str:
    """Return what the event's actor did: ``switched mock -> real``. Unknown types are named."""
    tell = _TELL.get(type_)
    return tell(data) if tell is not None else f"recorded {type_}, which this version does not know"


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


def _registered(data: Data) -> str:
    return f"registered the system ({data['environment']})"


def _system_changed(data: Data) -> str:
    return f"changed the system's registration ({data['environment']})"


def _recovered(data: Data) -> str:
    done, given_up = len(data["completed"]), len(data["abandoned"])
    spooled = f", {data['spooled']} events from the spool" if data["spooled"] else ""
    return f"recovered the system: {done} finished, {given_up} given up{spooled}"


def _switch_requested(data: Data) -> str:
    glass = f", the glass broken by {data['break_glass']}" if data.get("break_glass") else ""
    return f"asked for {mode_text(data['to_mode'], data.get('to_kind'))}{glass}"


def _switched(data: Data) -> str:
    before = mode_text(data.get("from_mode"), data.get("from_kind"))
    after = mode_text(data["to_mode"], data.get("to_kind"))
    if data.get("from_mode") is None:
        what = f"switched to {after}"
    else:
        what = f"switched {before} → {after}" if before != after else f"put it into {after}"
    if data["carried_by"] == "nothing":
        return f"{what}, in the ledger only: no way to the system is registered"
    return f"{what}, by {data['carried_by']} in {data.get('took_ms', 0)} ms"


def _switch_rejected(data: Data) -> str:
    return (
        f"was refused {mode_text(data.get('from_mode'))} → {data['to_mode']}: {data['explanation']}"
    )


def _switch_unconfirmed(data: Data) -> str:
    mode = mode_text(data["to_mode"], data.get("to_kind"))
    if all(attempt["outcome"] in {"failed", "refused"} for attempt in data["attempts"]):
        return f"could not switch to {mode}: {data['explanation']}"
    return f"got no confirmation of {mode} within {data['waited_ms']} ms: {data['explanation']}"


def _switch_abandoned(data: Data) -> str:
    return f"gave up the switch to {data['to_mode']}: {data['explanation']}"


def _config_registered(data: Data) -> str:
    names = ", ".join(file["name"] for file in data["files"])
    return f"registered configuration {short(data['fingerprint'])} ({names})"


def _apply_requested(data: Data) -> str:
    phase = f", to enter {data['phase']['phase']}" if data.get("phase") else ""
    return f"began to apply configuration {short(data['fingerprint'])}{phase}"


CAUSES: Final = {
    "apply": "applied",
    "rollback": "put back",
    "import": "imported",
    "found": "found in place",
    "declared": "declared",
}


def _applied(data: Data) -> str:
    verb = CAUSES.get(data["cause"], data["cause"])
    if not data["changes"]:
        return f"{verb} configuration {short(data['fingerprint'])}, with no key changed"
    if data.get("previous") is None:
        return f"{verb} configuration {short(data['fingerprint'])}, the first: {_keys(data['changes'])}"
    return f"{verb} configuration {short(data['fingerprint'])}: {changes_text(data['changes'])}"


def _keys(changes: Any) -> str:
    return "1 key" if len(changes) == 1 else f"{len(changes)} keys"


def _apply_failed(data: Data) -> str:
    return f"could not apply configuration {short(data['fingerprint'])}: {data['explanation']}"


def _tagged(data: Data) -> str:
    return f"tagged configuration {short(data['fingerprint'])} as {data['tag']}"


def _stable(data: Data) -> str:
    return f"marked configuration {short(data['fingerprint'])} as stable"


def _quarantined(data: Data) -> str:
    return f"quarantined configuration {short(data['fingerprint'])}"


def _rollback_requested(data: Data) -> str:
    code = f", and the code to {data['code']['ref']}" if data.get("code") else ""
    return (
        f"began a rollback {short(data.get('from_fingerprint'))} → {short(data['to_fingerprint'])} "
        f"({data['selector']}){code}"
    )


def _rollback_step(data: Data) -> str:
    return f"rolled back, step {data['step']}: {data['name']} {_STEP_DONE[data['outcome']]}"


_STEP_DONE: Final = {
    "already": "was in place already",
    "written": "is back",
    "checked_out": "is back",
    "restarted": "is done",
}


def _rollback_completed(data: Data) -> str:
    return f"rolled back {short(data.get('from_fingerprint'))} → {short(data['to_fingerprint'])}"


def _rollback_failed(data: Data) -> str:
    return f"could not finish the rollback, at step {data['step']}: {data['explanation']}"


def _rollback_abandoned(data: Data) -> str:
    return f"gave up the rollback: {data['explanation']}"


def _drift_detected(data: Data) -> str:
    found = (
        changes_text(data["changes"])
        if data.get("changes")
        else f"{data['expected']} → {data['found']}"
    )
    return f"found the {data['subject']} changed by hand: {found}"


def _drift_cleared(data: Data) -> str:
    return f"found the {data['subject']} as the ledger has it again"


def _alert_fired(data: Data) -> str:
    return f"raised the {data['severity']} alert {alert_text(data)}: {data['message']}"


def _alert_acknowledged(data: Data) -> str:
    return f"acknowledged the alert {alert_text(data)}"


_HOW_RESOLVED: Final = {
    "condition_cleared": "the condition cleared",
    "manual": "by hand",
    "expired": "it expired",
}


def _alert_resolved(data: Data) -> str:
    return f"resolved the alert {alert_text(data)} ({_HOW_RESOLVED.get(data['how'], data['how'])})"


def _incident_opened(data: Data) -> str:
    return f"opened the {data['severity']} incident {data['incident']}: {data['title']}"


def _incident_noted(data: Data) -> str:
    return f"noted on {data['incident']}: {data['note']}"


def _incident_mitigated(data: Data) -> str:
    return f"mitigated {data['incident']}: {data['action']}"


def _incident_resolved(data: Data) -> str:
    return f"resolved {data['incident']}" + (
        f": {data['resolution']}" if data.get("resolution") else ""
    )


def _report(data: Data) -> str:
    about = f" on the run {data['run']}" if data.get("run") else ""
    return (
        f"made the {data['report']} report{about}: {len(data['files'])} files, "
        f"#{data['from_position']} to #{data['to_position']}"
    )


def _imported(data: Data) -> str:
    skipped = f", {len(data['skipped'])} skipped" if data.get("skipped") else ""
    return (
        f"imported {data['imported']} of {data['records']} records from {data['source']} "
        f"({data['already_known']} known already{skipped})"
    )


_TELL: Final[dict[str, Callable[[Data], str]]] = {
    **rollout_sentences.TELL,
    "LedgerCreated": lambda data: f"created the ledger {data['ledger_id']}",
    "SecretKeyAdopted": lambda data: f"adopted the key {data['key_id']} for digests of secrets",
    "EventCorrected": lambda data: f"corrected #{data['position']}: {data['correction']}",
    "HistoryImported": _imported,
    "BackupCreated": lambda data: (
        f"backed the log up to #{data['position']}, as {data['backup']} ({data['bytes']:,} bytes)"
    ),
    "BackupVerified": lambda data: (
        f"restored the backup {data['backup']} to try it, and found it whole"
    ),
    "SystemRegistered": _registered,
    "SystemChanged": _system_changed,
    "StateRecovered": _recovered,
    "ModeSwitchRequested": _switch_requested,
    "ModeSwitched": _switched,
    "ModeSwitchRejected": _switch_rejected,
    "ModeSwitchUnconfirmed": _switch_unconfirmed,
    "ModeSwitchAbandoned": _switch_abandoned,
    "ConfigRegistered": _config_registered,
    "ConfigApplyRequested": _apply_requested,
    "ConfigApplied": _applied,
    "ConfigApplyFailed": _apply_failed,
    "FingerprintTagged": _tagged,
    "FingerprintMarkedStable": _stable,
    "FingerprintQuarantined": _quarantined,
    "RollbackRequested": _rollback_requested,
    "RollbackStepCompleted": _rollback_step,
    "RollbackCompleted": _rollback_completed,
    "RollbackFailed": _rollback_failed,
    "RollbackAbandoned": _rollback_abandoned,
    "DriftDetected": _drift_detected,
    "DriftCleared": _drift_cleared,
    "AlertFired": _alert_fired,
    "AlertAcknowledged": _alert_acknowledged,
    "AlertResolved": _alert_resolved,
    "IncidentOpened": _incident_opened,
    "IncidentNoted": _incident_noted,
    "IncidentAcknowledged": lambda data: f"acknowledged {data['incident']}",
    "IncidentMitigated": _incident_mitigated,
    "IncidentResolved": _incident_resolved,
    "IncidentClosed": lambda data: f"closed {data['incident']}",
    "MetricsRecorded": lambda data: f"recorded {len(data['samples'])} samples",
    "ReportGenerated": _report,
    "OrderActivityRecorded": lambda data: f"recorded {data['kind']}",
}
