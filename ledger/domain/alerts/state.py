"""What the state of a system holds of its alerts, their clocks, silences and incidents. Pure data.

What stems from an event has its fields in the order of the event's bytes, which is that of the alphabet.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ledger.domain.state_part import written
from ledger.domain.values import alert_actions
from ledger.domain.values.choices import OneOf

SeverityName = OneOf["critical", "warning", "info"]
ActionName = OneOf[alert_actions.ActionName]
ActionOutcome = OneOf["done", "skipped", "failed"]
HowEnded = OneOf["condition_cleared", "manual", "expired"]
IncidentStatus = OneOf["open", "acknowledged", "mitigated", "resolved", "closed"]


class FiredRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rule that an alert comes from, as it was when it fired."""

    action: ActionName = written("record")
    argument: str | None = None
    """The kind of pause, the target of the rollback, the name of the mitigation."""
    expr: str
    for_seconds: int = written(0)
    labels: Mapping[str, str] | None = None
    """Those that the rule gives, as they are written. None: not recorded, by a version that told rules
    apart by their names."""
    name: str

    @property
    def acts(self) -> bool:
        """Whether it does more than to tell."""
        return self.action in alert_actions.ACTING


class ChannelTold(msgspec.Struct, frozen=True):
    """The deliveries to one channel on one occasion."""

    ok: bool
    """Whether it took the last one."""
    at: str
    failures: int
    """How many it has not taken since it took one."""
    times: int
    """How many it has taken."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that fires."""

    severity: SeverityName
    message: str
    since: str
    position: int
    acknowledged_by: str | None = None
    labels: Mapping[str, str] = {}
    rule: FiredRule | None = None
    """None: raised by hand, or by the watch on its own account."""
    active_since: str | None = None
    """When its condition began to hold."""
    observed: str | None = None
    clear_since: str | None = None
    """When its condition ended, where it keeps firing for a while."""
    acted: ActionOutcome | None = None
    """What became of its rule's action; None: nobody has acted."""
    inhibited_by: str | None = None
    """The alert for whose sake nobody is told of this one."""
    told: Mapping[str, ChannelTold] = {}
    """channel -> what became of telling it."""

    @property
    def rule_name(self) -> str | None:
        """The rule that it comes from; None: it comes from none."""
        return self.rule.name if self.rule is not None else None


class PendingAlert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An alert whose condition holds, not yet for long enough."""

    rule: str
    severity: SeverityName
    labels: Mapping[str, str] = written({})
    active_since: str
    rule_labels: Mapping[str, str] | None = None
    """As in `FiredRule`."""
    expr: str | None = None
    """The rule's, as it was then."""

    @property
    def rule_name(self) -> str:
        """The rule that it comes from."""
        return self.rule


class EndedAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that no longer fires."""

    severity: SeverityName
    message: str
    since: str
    labels: Mapping[str, str]
    rule: FiredRule | None
    alert: str
    how: HowEnded
    at: str
    channels: tuple[str, ...]
    """Told that it fires, and not that it is over."""
    failed: Mapping[str, ChannelTold] = {}
    """channel -> what became of telling it that it is over, where it did not take that."""


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """An incident that is not closed."""

    status: IncidentStatus
    title: str
    severity: SeverityName
    alert: str | None = None
    """The alert that it was opened for."""
    opened_at: str


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """A silence: of which alerts nobody is told for a while; it may have expired."""

    matchers: Mapping[str, str]
    """``alert`` or a label -> its value."""
    until: str
    holds_actions: bool = False
    by: str
    reason: str | None


class RuleAction(msgspec.Struct, frozen=True):
    """The last action of a rule, and when: for cooldowns."""

    action: ActionName
    at: str


class EvaluationFailure(msgspec.Struct, frozen=True):
    """The failure to evaluate a rule, or to read a source: why, and since when."""

    explanation: str
    since: str
