"""Alerts, silences and incidents by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from ledger.domain import events
from ledger.domain.alerts import decide as alerts
from ledger.domain.alerts.state import IncidentStatus
from ledger.domain.decision import Decision
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger


def fire(
    ledger: Ledger,
    system: str,
    alert: str,
    origin: Origin,
    *,
    severity: str,
    message: str,
    labels: Mapping[str, str],
) -> Decision:
    """Raise an alert; a critical one opens an incident."""
    return ledger.decide(
        system,
        lambda state: alerts.fire(
            state,
            alert,
            severity=severity,
            message=message,
            labels=labels,
            incident=alerts.incident_name(state, ledger.recorder.clock.now()),
        ),
        origin,
    )


def silence(
    ledger: Ledger,
    system: str,
    matchers: Mapping[str, str],
    span: timedelta,
    origin: Origin,
    *,
    holds_actions: bool,
) -> Decision:
    """Tell nobody of some alerts for as long as ``span``; see `alerts.silence` for the rules."""
    until = ledger.recorder.clock.now() + span
    return ledger.decide(
        system,
        lambda state: alerts.silence(
            state,
            matchers,
            until=until,
            holds_actions=holds_actions,
            actor=origin.actor,
            reason=origin.reason,
        ),
        origin,
    )


def lift_silence(ledger: Ledger, system: str, silence: str, origin: Origin) -> Decision:
    """End a silence before its time."""
    return ledger.decide(system, lambda state: alerts.lift_silence(state, silence), origin)


def open_incident(
    ledger: Ledger, system: str, origin: Origin, *, title: str, severity: str
) -> Decision:
    """Open an incident that no alert opened."""
    return ledger.decide(
        system,
        lambda state: alerts.open_incident(
            state,
            alerts.incident_name(state, ledger.recorder.clock.now()),
            title=title,
            severity=severity,
        ),
        origin,
    )


def move_incident(
    ledger: Ledger,
    system: str,
    incident: str,
    status: IncidentStatus,
    origin: Origin,
    *,
    resolution: str = "",
) -> Decision:
    """Take an incident to ``status``: acknowledged, resolved or closed."""
    event: events.Event
    if status == "acknowledged":
        event = events.IncidentAcknowledged(incident=incident)
    elif status == "resolved":
        event = events.IncidentResolved(incident=incident, resolution=resolution)
    else:
        event = events.IncidentClosed(incident=incident)
    return ledger.decide(
        system, lambda state: alerts.move_incident(state, incident, event, status), origin
    )
