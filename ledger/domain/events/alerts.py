"""Alerts and incidents."""

from __future__ import annotations

from typing import Literal

from ledger.domain.events.base import Event, Severity


class AlertFired(Event):
    """An alert began to fire."""

    alert: str
    severity: Severity
    message: str
    labels: dict[str, str] = {}


class AlertAcknowledged(Event):
    """Somebody looks after it."""

    alert: str


class AlertResolved(Event):
    """It no longer fires, and why."""

    alert: str
    how: Literal["condition_cleared", "manual", "expired"]


class IncidentOpened(Event):
    """Something went wrong that will be told about in the morning."""

    incident: str
    title: str
    severity: Severity
    alert: str | None = None


class IncidentNoted(Event):
    """A remark for the record."""

    incident: str
    note: str


class IncidentAcknowledged(Event):
    """Somebody took it on."""

    incident: str


class IncidentMitigated(Event):
    """The harm was stopped, by this action."""

    incident: str
    action: str


class IncidentResolved(Event):
    """What was wrong is right again."""

    incident: str
    resolution: str = ""


class IncidentClosed(Event):
    """Nothing is left to do."""

    incident: str
