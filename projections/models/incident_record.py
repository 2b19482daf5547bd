"""What is known of one incident, folded from events: everything that incidents.json says but metrics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ledger.domain.alerts.state import Alert
from ledger.domain.state import SystemState
from ledger.domain.values.moments import iso
from projections.core.base import Step
from projections.words.sentences import sentence

Record = dict[str, Any]

TIMELINE_MAX: Final = 500
"""Entries kept of an incident that stays open for months; later ones are counted."""

_MOVES: Final = {
    "IncidentAcknowledged": "acknowledged",
    "IncidentMitigated": "mitigated",
    "IncidentResolved": "resolved",
    "IncidentClosed": "closed",
}
_CARRIED_OUT: Final = frozenset({"ModeSwitched", "ConfigApplied"})
_WITNESSED: Final = _CARRIED_OUT | {
    "ModeSwitchUnconfirmed",
    "ModeSwitchAbandoned",
    "ConfigApplyFailed",
    "RollbackRequested",
    "RollbackCompleted",
    "RollbackFailed",
    "RollbackAbandoned",
    "FingerprintQuarantined",
    "DriftDetected",
    "DriftCleared",
    "AlertFired",
    "AlertResolved",
}
TYPES: Final = frozenset({"IncidentOpened", "IncidentNoted"} | _MOVES.keys() | _WITNESSED)
_OVER: Final = frozenset({"resolved", "closed"})
_THRESHOLD: Final = re.compile(r"(?:[<>]=?|[!=]=)\s*(?:bool\s+)?(-?[\d.]+(?:[eE][+-]?\d+)?)\s*$")


def opened(step: Step) -> Record:
    """Return the record of an incident at the event that opened it."""
    actor, data = step.body["actor"], step.data
    alert = data.get("alert")
    firing = step.before.alerts.get(alert) if step.before and alert else None
    record: Record = {
        "id": data["incident"],
        "system": step.system,
        "title": data["title"],
        "severity": data["severity"],
        "status": "open",
        "when": {
            "opened": iso(step.event.occurred_at),
            "acknowledged": None,
            "mitigated": None,
            "resolved": None,
            "closed": None,
        },
        "who": {
            "actor": actor["name"],
            "id": actor["id"],
            "type": actor["kind"],
            "channel": step.body["channel"],
        },
        "why": {
            "reason": step.body.get("reason"),
            "alert": alert,
            "message": firing.message.replace("\0", "\ufffd") if firing is not None else None,
            **_rule(firing, actor),
        },
        "phase": step.before.phase_name if step.before else None,
        "action": None,
        "actions": [],
        "fingerprint": {"before": step.before.fingerprint if step.before else None, "after": None},
        "mode_before_after": {"before": _mode(step.before), "after": None},
        "timeline": [],
        "timeline_left_out": 0,
    }
    _tell(record, step)
    return record


def _rule(firing: Alert | None, actor: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the rule says that an alert came from, and what it saw."""
    if firing is None or firing.rule is None:
        name = actor["id"] if actor["kind"] == "rule" else None
        return {"rule": name, "expr": None, "threshold": None, "for": None, "observed": None}
    rule = firing.rule
    threshold = _THRESHOLD.search(rule.expr)
    return {
        "rule": rule.name,
        "expr": rule.expr,
        "threshold": threshold[1] if threshold else None,
        "for": f"{rule.for_seconds}s",
        "observed": firing.observed,
    }


def move(record: Record, step: Step) -> None:
    """Take in an event that speaks of this incident."""
    status = _MOVES.get(step.event.type)
    # What was journalled while the ledger was away comes in late: it reopens nothing.
    if status is not None and (record["status"] not in _OVER or status == "closed"):
        record["status"] = status
        when = record["when"]
        when[status] = when[status] or iso(step.event.occurred_at)
    if step.event.type == "IncidentMitigated":
        record["action"] = step.data["action"]
        action = {
            "position": step.event.position,
            "at": iso(step.event.occurred_at),
            "by": step.body["actor"]["name"],
            "type": step.body["actor"]["kind"],
            "action": step.data["action"],
            "reason": step.body.get("reason"),
            "operation": step.body.get("operation"),
        }
        record["actions"] = [*record["actions"], action]
        _look(record, step.after)
    _tell(record, step)


def witness(record: Record, step: Step) -> bool:
    """Take in an event of the system, unless the incident is over. Return whether anything changed."""
    if record["status"] in _OVER:
        return False
    if (
        step.event.type in {"AlertFired", "AlertResolved"}
        and step.data["alert"] != record["why"]["alert"]
    ):
        return False
    if step.event.type in _CARRIED_OUT:
        _look(record, step.after)
    _tell(record, step)
    return True


def _look(record: Record, state: SystemState | None) -> None:
    """Note what is in force now that something was done."""
    if state is not None:
        record["fingerprint"]["after"] = state.fingerprint
        record["mode_before_after"]["after"] = _mode(state)


def _mode(state: SystemState | None) -> str | None:
    if state is None or state.mode is None:
        return None
    return f"{state.mode}/{state.pause_kind}" if state.pause_kind else state.mode


def _tell(record: Record, step: Step) -> None:
    if len(record["timeline"]) >= TIMELINE_MAX:
        record["timeline_left_out"] += 1
        return
    entry = {
        "position": step.event.position,
        "at": iso(step.event.occurred_at),
        "event": step.event.type,
        "by": step.body["actor"]["name"],
        "text": sentence(step.event.type, step.data),
        "reason": step.body.get("reason"),
    }
    record["timeline"].append(entry)
