"""Alerts and their clocks, silences, incidents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from ledger.domain.alerts.naming import rule_of
from ledger.domain.folding import on, with_, without
from ledger.domain.log.envelope import Recorded
from ledger.domain.state import Json, SystemState
from ledger.domain.values.moments import iso


@on("AlertPending")
def _alert_pending(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    pending = {
        "rule": data["rule"],
        "severity": data["severity"],
        "labels": data.get("labels", {}),
        "active_since": data["active_since"],
    }
    for name in ("rule_labels", "expr"):
        if name in data:
            pending[name] = data[name]
    return replace(state, pending=with_(state.pending, data["alert"], pending))


@on("AlertFired")
def _alert_fired(state: SystemState, event: Recorded, data: Json) -> SystemState:
    alert: dict[str, Any] = {
        "severity": data["severity"],
        "message": data["message"],
        "since": iso(event.occurred_at),
        "position": event.position,
        "acknowledged_by": None,
        "labels": data.get("labels", {}),
        "rule": data.get("rule"),
        "active_since": data.get("active_since"),
        "observed": data.get("observed"),
        "clear_since": None,
        "acted": None,
        "inhibited_by": None,
        "told": {},
    }
    return replace(
        state,
        pending=without(state.pending, data["alert"]) if state.pending else state.pending,
        alerts=with_(state.alerts, data["alert"], alert),
        last_alert_at=_last_alert(state, event, data["severity"]),
    )


_NO_WORSE: Final = {
    "critical": ("critical", "warning", "info"),
    "warning": ("warning", "info"),
    "info": ("info",),
}


def _last_alert(state: SystemState, event: Recorded, severity: str) -> Mapping[str, str]:
    """Return when an alert of each severity, or a worse one, was last open, as of now."""
    at = iso(event.occurred_at)
    later = {
        name: max(state.last_alert_at.get(name, ""), at) for name in _NO_WORSE.get(severity, ())
    }
    return {**state.last_alert_at, **later}


def _change(state: SystemState, alert: str, **changes: Any) -> SystemState:
    """Return ``state`` with ``changes`` to an alert, be it pending or firing."""
    if alert in state.alerts:
        return replace(state, alerts=with_(state.alerts, alert, {**state.alerts[alert], **changes}))
    if alert in state.pending:
        return replace(
            state, pending=with_(state.pending, alert, {**state.pending[alert], **changes})
        )
    return state


@on("AlertAcknowledged")
def _alert_acknowledged(state: SystemState, event: Recorded, data: Json) -> SystemState:
    return _change(state, data["alert"], acknowledged_by=event.actor.name)


@on("AlertResolved")
def _alert_resolved(state: SystemState, event: Recorded, data: Json) -> SystemState:
    known: Mapping[str, Any] = state.alerts.get(data["alert"], {})
    return replace(
        state,
        pending=without(state.pending, data["alert"]) if state.pending else state.pending,
        alerts=without(state.alerts, data["alert"]),
        no_data=without(state.no_data, data["alert"]) if state.no_data else state.no_data,
        last_alert_at=_last_alert(state, event, known.get("severity", "")),
        ended=_ended(state, event, known, data),
    )


SETTLED_MAX: Final = 30
"""Alerts that have ended and that nobody is to be told of, as far as is known: a message that one of them
fires may be on its way still."""


def _ended(state: SystemState, event: Recorded, known: Json, data: Json) -> Mapping[str, Json]:
    """Return what has ended with ``known`` added: who was told that it fires has to hear of it."""
    rule: Json = known.get("rule") or {}
    if not known or rule.get("action") == "record":
        return state.ended
    told: Mapping[str, Json] = known.get("told", {})
    channels = [name for name, one in told.items() if one["times"]]
    kept = {name: known[name] for name in ("severity", "message", "since", "labels", "rule")}
    ended: dict[str, Any] = {
        **kept, "alert": data["alert"], "how": data["how"], "at": iso(event.occurred_at),
        "channels": channels, "failed": {},
    }  # fmt: skip
    together = with_(state.ended, f"{data['alert']} {known['since']}", ended)
    for name in [name for name, one in together.items() if not one["channels"]][:-SETTLED_MAX]:
        together = without(together, name)
    return together


@on("AlertInhibited", "InhibitionLifted")
def _inhibited(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return _change(state, data["alert"], inhibited_by=data.get("by"))


@on("NotificationDelivered", "NotificationFailed")
def _notified(state: SystemState, event: Recorded, data: Json) -> SystemState:
    occasion, _, status = data["key"].rpartition(" ")
    alert, _, since = occasion.rpartition(" ")
    if occasion in state.ended:
        told = _told_of_end(state.ended[occasion], event, data, firing=status == "firing")
        return replace(state, ended=with_(state.ended, occasion, told))
    known = state.alerts.get(alert)
    if status != "firing" or known is None or known["since"] != since:
        return state
    before: Mapping[str, Any] = known.get("told", {})
    return _change(
        state, alert, told=with_(before, data["channel"], _told(before, event, data["channel"]))
    )


def _told(before: Mapping[str, Any], event: Recorded, channel: str) -> Json:
    """Return what is known of a channel now: did it take the last message, how often did it take one."""
    last: Mapping[str, Any] = before.get(channel, {})
    ok = event.type == "NotificationDelivered"
    return {
        "ok": ok,
        "at": iso(event.occurred_at),
        "failures": 0 if ok else last.get("failures", 0) + 1,
        "times": last.get("times", 0) + ok,
    }


def _told_of_end(ended: Json, event: Recorded, data: Json, *, firing: bool) -> Json:
    """Return what has ended as it is after a message: that it fires, which came late; that it is over."""
    channel = data["channel"]
    channels: list[str] = ended["channels"]
    failed: Mapping[str, Any] = ended["failed"]
    delivered = event.type == "NotificationDelivered"
    if firing:
        late = delivered and channel not in channels
        return {**ended, "channels": [*channels, channel]} if late else ended
    if delivered or data.get("given_up"):
        left = [name for name in channels if name != channel]
        return {**ended, "channels": left, "failed": without(failed, channel)}
    return {**ended, "failed": with_(failed, channel, _told(failed, event, channel))}


@on("AlertClearingBegun", "AlertClearingCancelled")
def _alert_clearing(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return _change(state, data["alert"], clear_since=data.get("clear_since"))


@on("NoDataDetected")
def _no_data(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, no_data=with_(state.no_data, data["alert"], data["since"]))


@on("DataReturned")
def _data_returned(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    state = replace(state, no_data=without(state.no_data, data["alert"]))
    if data.get("active_since") is None or data["alert"] not in state.pending:
        return state
    return _change(state, data["alert"], active_since=data["active_since"])


@on("AlertActionTaken")
def _action_taken(state: SystemState, event: Recorded, data: Json) -> SystemState:
    rule = rule_of(state.alerts.get(data["alert"], {})) or data["alert"]
    if data["outcome"] == "done":
        acted = {"action": data["action"], "at": iso(event.occurred_at)}
        state = replace(state, rule_actions=with_(state.rule_actions, rule, acted))
    return _change(state, data["alert"], acted=data["outcome"])


@on("EvaluationFailed")
def _evaluation_failed(state: SystemState, event: Recorded, data: Json) -> SystemState:
    failure = {"explanation": data["explanation"], "since": iso(event.occurred_at)}
    return replace(state, failing=with_(state.failing, data["rule"], failure))


@on("EvaluationRecovered")
def _evaluation_recovered(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, failing=without(state.failing, data["rule"]))


@on("AlertSilenced")
def _silenced(state: SystemState, event: Recorded, data: Json) -> SystemState:
    silence = {
        "matchers": data["matchers"],
        "until": data["until"],
        "holds_actions": data.get("holds_actions", False),
        "by": event.actor.name,
        "reason": event.reason,
    }
    return replace(state, silences=with_(state.silences, data["silence"], silence))


@on("SilenceLifted")
def _silence_lifted(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, silences=without(state.silences, data["silence"]))


# --- incidents ---


@on("IncidentOpened")
def _incident_opened(state: SystemState, event: Recorded, data: Json) -> SystemState:
    incident = {
        "status": "open",
        "title": data["title"],
        "severity": data["severity"],
        "alert": data.get("alert"),
        "opened_at": iso(event.occurred_at),
    }
    return replace(state, incidents=with_(state.incidents, data["incident"], incident))


_INCIDENT_STATUS: Final = {
    "IncidentAcknowledged": "acknowledged",
    "IncidentMitigated": "mitigated",
    "IncidentResolved": "resolved",
}


@on(*_INCIDENT_STATUS)
def _incident_moved(state: SystemState, event: Recorded, data: Json) -> SystemState:
    known = state.incidents.get(data["incident"])
    # What was journalled while the ledger was away may come in after somebody has resolved it.
    if known is None or known["status"] == "resolved":
        return state
    moved = {**known, "status": _INCIDENT_STATUS[event.type]}
    return replace(state, incidents=with_(state.incidents, data["incident"], moved))


@on("IncidentClosed")
def _incident_closed(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, incidents=without(state.incidents, data["incident"]))
