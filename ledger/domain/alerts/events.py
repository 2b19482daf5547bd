"""Alerts and incidents."""

from __future__ import annotations

from typing import ClassVar, Literal

from ledger.domain.log.event import Count, DecimalText, Event, Part, Severity
from ledger.domain.values.alert_actions import ActionName


class Rule(Part):
    """The rule that an alert comes from, as it was when it fired."""

    name: str
    expr: str
    for_seconds: Count = 0
    action: ActionName = "record"
    argument: str | None = None
    """The kind of pause, the target of the rollback, the name of the mitigation."""
    labels: dict[str, str] | None = None
    """Those that the rule gives, as they are written: with its name they tell it from others. Absent: not
    recorded, by a version that went by the name."""


class AlertPending(Event):
    """A condition began to hold; the clock of ``for`` runs from ``active_since`` (I14)."""

    version: ClassVar[int] = 2

    alert: str
    rule: str
    severity: Severity
    labels: dict[str, str] = {}
    active_since: str
    """ISO 8601. Moved on when the clock stood still for want of data."""
    observed: DecimalText | None = None
    rule_labels: dict[str, str] | None = None
    """Those that the rule gives, as in `Rule`."""
    expr: str | None = None


class AlertFired(Event):
    """An alert began to fire."""

    version: ClassVar[int] = 2

    alert: str
    severity: Severity
    message: str
    labels: dict[str, str] = {}
    rule: Rule | None = None
    """Absent: raised by hand."""
    active_since: str | None = None
    observed: DecimalText | None = None


class AlertAcknowledged(Event):
    """Somebody looks after it."""

    alert: str


class AlertResolved(Event):
    """It no longer fires, or no longer waits to, and why."""

    alert: str
    how: Literal["condition_cleared", "manual", "expired"]


class AlertClearingBegun(Event):
    """The condition of a firing alert ended; it keeps firing until that has lasted long enough."""

    alert: str
    clear_since: str


class AlertClearingCancelled(Event):
    """The condition holds again, before that was long enough."""

    alert: str


class NoDataDetected(Event):
    """What the alert is judged by has vanished: it holds, and its clock stands still (I8)."""

    alert: str
    since: str


class DataReturned(Event):
    """There is data again."""

    alert: str
    frozen_seconds: Count
    active_since: str | None = None
    """Where the clock of a pending alert stands now."""


class EvaluationFailed(Event):
    """A rule, or a source, could not be put to the metrics. Recorded once, until it works again."""

    rule: str
    explanation: str


class EvaluationRecovered(Event):
    """It works again."""

    rule: str


class AlertActionTaken(Event):
    """What was done about a firing alert, or why nothing was. Each firing is acted upon once."""

    alert: str
    action: ActionName
    outcome: Literal["done", "skipped", "failed"]
    explanation: str = ""


class AlertSilenced(Event):
    """Nobody is told of these alerts for a while."""

    silence: str
    matchers: dict[str, str]
    """``alert`` or a label -> its value."""
    until: str
    holds_actions: bool = False
    """Whether rules don't act on them either: somebody has the matter in hand."""


class SilenceLifted(Event):
    """They are told of again."""

    silence: str
    how: Literal["expired", "manual"]


class AlertInhibited(Event):
    """Nobody is told of this alert while another one fires, which says as much. Actions go on."""

    alert: str
    by: str
    """The alert that fires."""


class InhibitionLifted(Event):
    """The other one fires no more."""

    alert: str


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
