"""How each rule of a plan stands: by what the log says of its alerts, and by the samples of now. Pure.

The log says what was seen when somebody looked; the samples say what would be seen by looking now. A rule
on which there is no data is not in order (I8).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ledger.alerts.promql import Moment
from ledger.alerts.rules import AlertRule
from ledger.alerts.vectors import EvaluationError, Vector
from ledger.domain.alerts.naming import key_of
from ledger.domain.log.event import decimal_text
from ledger.domain.state import SystemState
from ledger.domain.values.moments import from_iso
from projections.reports.figures import Figure, absent, finite, rounded


@dataclass(frozen=True, slots=True)
class Condition:
    """One rule: its state, since when, and what its expression comes to."""

    rule: AlertRule
    status: str
    """failing, firing, clearing, pending, no_data, not_in_force, unseen or normal."""
    since: datetime | None
    explanation: str
    """Which alerts, or why it can't be evaluated."""
    value: Figure | str
    """The expression's value now: one figure, or several series with theirs."""

    @property
    def rolls_back(self) -> bool:
        """Whether it goes back to another configuration by itself."""
        return self.rule.action.name == "rollback"


def facts_of(state: SystemState, environment: str) -> dict[str, str]:
    """Return what ``rollout_applies_in`` goes by."""
    return {
        "mode": state.mode or "mock",
        "phase": state.phase_name or "",
        "environment": environment,
    }


def condition(
    rule: AlertRule, state: SystemState, moment: Moment, facts: Mapping[str, str]
) -> Condition:
    """Return how ``rule`` stands in ``state``, and by the samples of ``moment``."""
    problem = ""
    try:
        vector = rule.expression.evaluate(moment)
    except EvaluationError as error:
        vector, problem = {}, str(error)
    status, since, explanation = _status(rule, state, vector, facts)
    if problem and status == "no_data":
        status, explanation = "failing", problem
    return Condition(rule, status, since, explanation, _value(rule, vector))


def _status(
    rule: AlertRule, state: SystemState, found: Vector, facts: Mapping[str, str]
) -> tuple[str, datetime | None, str]:
    failure = state.failing.get(rule.key)
    if failure is not None:
        return "failing", from_iso(failure.since), failure.explanation
    firing = {key: alert for key, alert in state.alerts.items() if rule.made(alert)}
    if firing:
        status = "clearing" if all(each.clear_since for each in firing.values()) else "firing"
        return status, _first(each.since for each in firing.values()), ", ".join(sorted(firing))
    pending = {key: alert for key, alert in state.pending.items() if rule.made(alert)}
    named = ", ".join(sorted(pending))
    unseen = [since for key, since in state.no_data.items() if key in {rule.key, *pending}]
    if unseen:
        return "no_data", from_iso(min(unseen)), named
    if pending:
        return "pending", _first(each.active_since for each in pending.values()), named
    if not all(facts.get(axis) == value for axis, value in rule.applies_in):
        where = ", ".join(f"{axis}={value}" for axis, value in rule.applies_in)
        return "not_in_force", None, where
    if not any(element.holds or element.known for element in found.values()):
        return "no_data", None, ""
    return ("unseen" if any(e.holds for e in found.values()) else "normal"), None, ""


def _first(moments: Iterable[str]) -> datetime:
    return min(map(from_iso, moments))


def _value(rule: AlertRule, found: Vector) -> Figure | str:
    figures = [
        (key_of("", labels) or rule.name, Figure(rounded(number)))
        for labels, element in sorted(found.items())
        if (number := finite(decimal_text(element.value))) is not None
    ]
    if not figures:
        return absent("not_fresh", metric=", ".join(sorted(rule.expression.metrics)) or rule.name)
    if len(figures) == 1:
        return figures[0][1]
    return ", ".join(f"{name}: {figure.cell()}" for name, figure in figures)
