"""Alerts and incidents, by hand. What a rule may do on its own comes in by the same functions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from ledger.domain import events
from ledger.domain.decision import Decision, insist_on_registered
from ledger.domain.errors import Refused, UnknownName
from ledger.domain.state import SystemState
from ledger.domain.values.moments import iso

# What an incident may become, from what it is. Time runs one way.
_NEXT: Final[Mapping[str, frozenset[str]]] = {
    "open": frozenset({"acknowledged", "mitigated", "resolved"}),
    "acknowledged": frozenset({"mitigated", "resolved"}),
    "mitigated": frozenset({"mitigated", "acknowledged", "resolved"}),
    "resolved": frozenset({"closed"}),
}


def incident_name(state: SystemState, now: datetime) -> str:
    """Return the name of a new incident: its second, and the revision it is opened at, which is unique."""
    digits = "".join(character for character in iso(now)[:19] if character.isdigit())
    return f"INC-{digits}-{state.revision + 1}"


def fire(
    state: SystemState,
    alert: str,
    *,
    severity: str,
    message: str,
    labels: Mapping[str, str],
    incident: str,
) -> Decision:
    """Raise an alert. A critical one opens an incident, unless one stands open for it."""
    insist_on_registered(state)
    known = state.alerts.get(alert)
    if known is not None and known["severity"] == severity:
        return Decision(skipped=f"{alert} is firing already, since {known['since']}")
    fired = events.AlertFired(
        alert=alert,
        severity=severity,  # type: ignore[arg-type] -- the model checks it
        message=message,
        labels=dict(labels),
    )
    has_incident = any(
        record["alert"] == alert and record["status"] != "resolved"
        for record in state.incidents.values()
    )
    if severity != "critical" or has_incident:
        return Decision((fired,))
    opened = events.IncidentOpened(
        incident=incident,
        title=f"{alert}: {message}" if message else alert,
        severity="critical",
        alert=alert,
    )
    return Decision((fired, opened))


def acknowledge(state: SystemState, alert: str) -> Decision:
    """Say that somebody looks after an alert, and after its incident."""
    known = _open_alert(state, alert)
    if known["acknowledged_by"]:
        return Decision(skipped=f"{alert} was acknowledged already, by {known['acknowledged_by']}")
    decided: list[events.Event] = [events.AlertAcknowledged(alert=alert)]
    decided += [
        events.IncidentAcknowledged(incident=incident)
        for incident, record in state.incidents.items()
        if record["alert"] == alert and record["status"] == "open"
    ]
    return Decision(tuple(decided))


def resolve(state: SystemState, alert: str) -> Decision:
    """Say by hand that an alert is over."""
    insist_on_registered(state)
    _open_alert(state, alert)
    return Decision((events.AlertResolved(alert=alert, how="manual"),))


def _open_alert(state: SystemState, alert: str) -> Mapping[str, Any]:
    insist_on_registered(state)
    known = state.alerts.get(alert)
    if known is None:
        raise UnknownName(
            f"{state.system} has no open alert {alert!r}.",
            hint=f"rollout alert list {state.system} shows them",
        )
    record: Mapping[str, Any] = known
    return record


def open_incident(state: SystemState, incident: str, *, title: str, severity: str) -> Decision:
    """Open an incident by hand."""
    insist_on_registered(state)
    opened = events.IncidentOpened(incident=incident, title=title, severity=severity)  # type: ignore[arg-type] -- the model checks it
    return Decision((opened,))


def mitigated_by(state: SystemState, action: str) -> tuple[events.Event, ...]:
    """Return what an action that reduces exposure means for the incidents that stand open."""
    return tuple(
        events.IncidentMitigated(incident=incident, action=action)
        for incident, record in state.incidents.items()
        if record["status"] in {"open", "acknowledged"}
    )


def move_incident(state: SystemState, incident: str, event: events.Event, status: str) -> Decision:
    """Take an incident one step further, by ``event``.

    Raises:
        UnknownName: there is no such incident that is not closed.
        Refused: it can't become ``status`` from what it is.
    """
    record = known_incident(state, incident)
    if record["status"] == status:
        return Decision(skipped=f"{incident} is {status} already")
    if status not in _NEXT[record["status"]]:
        raise Refused(
            f"{incident} is {record['status']}: it can't become {status}.",
            hint="resolve it first, then close it" if status == "closed" else None,
        )
    return Decision((event,))


def note_incident(state: SystemState, incident: str, note: str) -> Decision:
    """Add a remark to an incident."""
    known_incident(state, incident)
    return Decision((events.IncidentNoted(incident=incident, note=note),))


def known_incident(state: SystemState, incident: str) -> Mapping[str, Any]:
    """Return an incident that is not closed.

    Raises:
        UnknownName: there is none of that name.
    """
    insist_on_registered(state)
    record = state.incidents.get(incident)
    if record is None:
        raise UnknownName(
            f"{state.system} has no incident {incident!r} that is not closed.",
            hint=f"rollout incident list {state.system} shows them",
        )
    known: Mapping[str, Any] = record
    return known
