"""Alerts and their clocks, silences, incidents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from ledger.domain.alerts.naming import rule_of
from ledger.domain.alerts.state import (
    Alert,
    ChannelTold,
    EndedAlert,
    EvaluationFailure,
    Incident,
    IncidentStatus,
    PendingAlert,
    RuleAction,
    Silence,
)
from ledger.domain.folding import on, with_, without
from ledger.domain.log.envelope import Recorded
from ledger.domain.state import Json, SystemState
from ledger.domain.state_part import part_of
from ledger.domain.values.moments import iso


@on("AlertPending")
def _alert_pending(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    pending = part_of(PendingAlert, data)
    return replace(state, pending=with_(state.pending, data["alert"], pending))


@on("AlertFired")
def _alert_fired(state: SystemState, event: Recorded, data: Json) -> SystemState:
    alert = part_of(Alert, data, since=iso(event.occurred_at), position=event.position)
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
    """Return ``state`` with ``changes`` to an alert, if it fires."""
    before = state.alerts.get(alert)
    if before is None:
        return state
    return replace(state, alerts=with_(state.alerts, alert, replace(before, **changes)))


@on("AlertAcknowledged")
def _alert_acknowledged(state: SystemState, event: Recorded, data: Json) -> SystemState:
    return _change(state, data["alert"], acknowledged_by=event.actor.name)


@on("AlertResolved")
def _alert_resolved(state: SystemState, event: Recorded, data: Json) -> SystemState:
    alert = state.alerts.get(data["alert"])
    state = replace(
        state,
        pending=without(state.pending, data["alert"]) if state.pending else state.pending,
        alerts=without(state.alerts, data["alert"]),
        no_data=without(state.no_data, data["alert"]) if state.no_data else state.no_data,
    )
    if alert is None:
        return state
    return replace(
        state,
        last_alert_at=_last_alert(state, event, alert.severity),
        ended=_ended(state, event, alert, data),
    )


SETTLED_MAX: Final = 30
"""Alerts that have ended and that nobody is to be told of, as far as is known: a message that one of them
fires may be on its way still."""


def _ended(
    state: SystemState, event: Recorded, alert: Alert, data: Json
) -> Mapping[str, EndedAlert]:
    """Return the ended alerts with ``alert`` added: who was told that it fires has to hear of it."""
    if alert.rule is not None and alert.rule.action == "record":
        return state.ended
    ended = EndedAlert(
        severity=alert.severity,
        message=alert.message,
        since=alert.since,
        labels=alert.labels,
        rule=alert.rule,
        alert=data["alert"],
        how=data["how"],
        at=iso(event.occurred_at),
        channels=tuple(name for name, told in alert.told.items() if told.times),
    )
    together = with_(state.ended, f"{ended.alert} {ended.since}", ended)
    for name in [name for name, one in together.items() if not one.channels][:-SETTLED_MAX]:
        together = without(together, name)
    return together


@on("AlertInhibited", "InhibitionLifted")
def _inhibited(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return _change(state, data["alert"], inhibited_by=data.get("by"))


@on("NotificationDelivered", "NotificationFailed")
def _notified(state: SystemState, event: Recorded, data: Json) -> SystemState:
    occasion, _, status = data["key"].rpartition(" ")
    name, _, since = occasion.rpartition(" ")
    if occasion in state.ended:
        ended = _told_of_end(state.ended[occasion], event, data, firing=status == "firing")
        return replace(state, ended=with_(state.ended, occasion, ended))
    alert = state.alerts.get(name)
    if status != "firing" or alert is None or alert.since != since:
        return state
    return _change(state, name, told=_with_told(alert.told, event, data["channel"]))


def _with_told(
    before: Mapping[str, ChannelTold], event: Recorded, channel: str
) -> Mapping[str, ChannelTold]:
    """Return the deliveries by channel, with the message to ``channel`` that ``event`` is of."""
    last = before.get(channel)
    failures, times = (last.failures, last.times) if last is not None else (0, 0)
    ok = event.type == "NotificationDelivered"
    answer = ChannelTold(
        ok=ok,
        at=iso(event.occurred_at),
        failures=0 if ok else failures + 1,
        times=times + 1 if ok else times,
    )
    return with_(before, channel, answer)


def _told_of_end(ended: EndedAlert, event: Recorded, data: Json, *, firing: bool) -> EndedAlert:
    """Return an ended alert after a message: that it fires, which came late; that it is over."""
    channel: str = data["channel"]
    delivered = event.type == "NotificationDelivered"
    if firing:
        late = delivered and channel not in ended.channels
        return replace(ended, channels=(*ended.channels, channel)) if late else ended
    if delivered or data.get("given_up"):
        left = tuple(name for name in ended.channels if name != channel)
        return replace(ended, channels=left, failed=without(ended.failed, channel))
    return replace(ended, failed=_with_told(ended.failed, event, channel))


@on("AlertClearingBegun", "AlertClearingCancelled")
def _alert_clearing(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return _change(state, data["alert"], clear_since=data.get("clear_since"))


@on("NoDataDetected")
def _no_data(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, no_data=with_(state.no_data, data["alert"], data["since"]))


@on("DataReturned")
def _data_returned(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    state = replace(state, no_data=without(state.no_data, data["alert"]))
    pending = state.pending.get(data["alert"])
    if data.get("active_since") is None or pending is None:
        return state
    moved = replace(pending, active_since=data["active_since"])
    return replace(state, pending=with_(state.pending, data["alert"], moved))


@on("AlertActionTaken")
def _action_taken(state: SystemState, event: Recorded, data: Json) -> SystemState:
    if data["outcome"] == "done":
        alert = state.alerts.get(data["alert"])
        rule = (rule_of(alert) if alert is not None else "") or data["alert"]
        acted = RuleAction(action=data["action"], at=iso(event.occurred_at))
        state = replace(state, rule_actions=with_(state.rule_actions, rule, acted))
    return _change(state, data["alert"], acted=data["outcome"])


@on("EvaluationFailed")
def _evaluation_failed(state: SystemState, event: Recorded, data: Json) -> SystemState:
    failure = EvaluationFailure(explanation=data["explanation"], since=iso(event.occurred_at))
    return replace(state, failing=with_(state.failing, data["rule"], failure))


@on("EvaluationRecovered")
def _evaluation_recovered(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, failing=without(state.failing, data["rule"]))


@on("AlertSilenced")
def _silenced(state: SystemState, event: Recorded, data: Json) -> SystemState:
    silence = part_of(Silence, data, by=event.actor.name, reason=event.reason)
    return replace(state, silences=with_(state.silences, data["silence"], silence))


@on("SilenceLifted")
def _silence_lifted(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, silences=without(state.silences, data["silence"]))


# --- incidents ---


@on("IncidentOpened")
def _incident_opened(state: SystemState, event: Recorded, data: Json) -> SystemState:
    incident = part_of(Incident, data, status="open", opened_at=iso(event.occurred_at))
    return replace(state, incidents=with_(state.incidents, data["incident"], incident))


_INCIDENT_STATUS: Final[Mapping[str, IncidentStatus]] = {
    "IncidentAcknowledged": "acknowledged",
    "IncidentMitigated": "mitigated",
    "IncidentResolved": "resolved",
}


@on(*_INCIDENT_STATUS)
def _incident_moved(state: SystemState, event: Recorded, data: Json) -> SystemState:
    incident = state.incidents.get(data["incident"])
    # What was journalled while the ledger was away may come in after somebody has resolved it.
    if incident is None or incident.status == "resolved":
        return state
    moved = replace(incident, status=_INCIDENT_STATUS[event.type])
    return replace(state, incidents=with_(state.incidents, data["incident"], moved))


@on("IncidentClosed")
def _incident_closed(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, incidents=without(state.incidents, data["incident"]))
