"""Alerts of our own, on what keeps a rule from protecting: it can't act, it can't be evaluated. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from ledger.alerts.judge import NO_DATA_ALERT
from ledger.alerts.rules import AlertRule, owner
from ledger.domain import events
from ledger.domain.alerts.naming import rule_of
from ledger.domain.alerts.state import Alert, PendingAlert
from ledger.domain.state import SystemState
from ledger.domain.values.alert_actions import STOPPING

ACTION_FAILED: Final = "ActionFailed"
STILL_FIRING: Final = "StillFiring"
EVALUATION_FAILED: Final = "EvaluationFailed"


def answered(
    state: SystemState, taken: Sequence[events.AlertActionTaken]
) -> tuple[events.Event, ...]:
    """Return what to record of the actions that were taken on one alert; ``state``: before them."""
    decided: list[events.Event] = [*taken]
    for one in taken:
        if one.outcome == "done":
            decided += _again(state, one)
    if taken:
        last = taken[-1]
        name, failed = f"{ACTION_FAILED}({last.alert})", last.outcome == "failed"
        severity = "critical" if last.action in STOPPING else "warning"
        message = (
            f"{last.alert} is firing, and its rule could not {last.action}: {last.explanation}"
        )
        decided += _raised(state, name, severity, message) if failed else _over(state, name)
    return tuple(decided)


def fires_on(
    state: SystemState, alert: str, taken: Sequence[events.AlertActionTaken]
) -> tuple[events.Event, ...]:
    """Return what to record of an alert that fires on after its rule has acted, and what was done then.

    It is told again, and louder: as critical, unless the system is paused and nothing is at stake.
    """
    before = state.alerts[alert]
    severity = before.severity if state.mode == "paused" else "critical"
    acted = state.rule_actions.get(rule_of(before))
    message = f"{alert} is firing since {before.since[:19]}Z, and nothing was done about it"
    if acted is not None and acted.at >= before.since:
        message = f"{alert} is firing still, after the {acted.action} at {acted.at[:19]}Z"
    if taken:
        message += f"; now: {taken[-1].action} {taken[-1].outcome}: {taken[-1].explanation}"
    raised = _raised(state, still_firing(alert), severity, message)
    return (*answered(state, taken), *raised)


def still_firing(alert: str) -> str:
    """Return the name of the alert that says that ``alert`` fires on after its rule has acted."""
    return f"{STILL_FIRING}({alert})"


def _again(state: SystemState, taken: events.AlertActionTaken) -> list[events.Event]:
    """Return the action for the alert's incident, where that was mitigated before by another one."""
    return [
        events.IncidentMitigated(incident=name, action=f"{taken.action}: {taken.explanation}")
        for name, incident in state.incidents.items()
        if incident.alert == taken.alert and incident.status == "mitigated"
    ]


def moot(state: SystemState, over: Collection[str] = ()) -> tuple[events.Event, ...]:
    """Return the end of alerts on actions that failed or did not help, where their cause is over.

    ``over`` are the alerts that end just now.
    """
    return tuple(
        event
        for name in state.alerts
        if acted_upon(name) not in state.alerts or acted_upon(name) in over
        for event in _over(state, name)
        if name not in over
    )


def acted_upon(name: str) -> str:
    """Return the alert whose action failed or did not help, of one that says so; of any other itself."""
    for kind in (ACTION_FAILED, STILL_FIRING):
        if name.startswith(f"{kind}("):
            return name[len(kind) + 1 : -1]
    return name


def blind(state: SystemState, rule: str, why: str) -> list[events.Event]:
    """Return what to record of a rule that can't be evaluated; nothing where that is known."""
    if rule in state.failing:
        return []
    failed = events.EvaluationFailed(rule=rule, explanation=why)
    message = f"{rule} can't be evaluated, so it guards nothing: {why}"
    return [failed, *_raised(state, f"{EVALUATION_FAILED}({rule})", "warning", message)]


def lost(state: SystemState, source: str, what: str) -> list[events.Event]:
    """Return what to record of evidence that a source had and that nobody can read any more."""
    failed = events.EvaluationFailed(rule=source, explanation=what)
    message = f"{source} lost evidence, which no rule has seen: {what}"
    return [failed, *_raised(state, f"{EVALUATION_FAILED}({source})", "warning", message)]


def seeing(state: SystemState, rule: str) -> list[events.Event]:
    """Return what to record of a rule that can be evaluated; nothing where it always could."""
    if rule not in state.failing:
        return []
    recovered = events.EvaluationRecovered(rule=rule)
    return [recovered, *_over(state, f"{EVALUATION_FAILED}({rule})")]


def forgotten(
    state: SystemState, rules: Sequence[AlertRule], others: Collection[str]
) -> list[events.Event]:
    """Return the end of what is known of rules and sources that the plan no longer has.

    ``others`` are the names of what else it has: recording rules, sources. What fires stays: a person has to
    look at it, or the rule that took the place of its own.
    """
    names = {rule.key for rule in rules}
    under_way: Mapping[str, Alert | PendingAlert] = {**state.pending, **state.alerts}
    ours = {key for key, alert in under_way.items() if owner(rules, alert) is not None}
    gone = [key for key in state.pending if key not in ours]
    gone += [key for key in state.no_data if key not in under_way and key not in names]
    gone += [
        name
        for name in state.alerts
        if name.startswith(f"{NO_DATA_ALERT}(")
        and name[len(NO_DATA_ALERT) + 1 : -1] not in names | ours
    ]
    ended: list[events.Event] = [events.AlertResolved(alert=key, how="expired") for key in gone]
    for name in state.failing:
        ended += seeing(state, name) if name not in names and name not in others else []
    return ended


def _raised(state: SystemState, name: str, severity: str, message: str) -> list[events.Event]:
    if name in state.alerts:
        return []
    return [events.AlertFired(alert=name, severity=severity, message=message)]  # type: ignore[arg-type] -- one of the three


def _over(state: SystemState, name: str) -> list[events.Event]:
    if name not in state.alerts:
        return []
    return [events.AlertResolved(alert=name, how="condition_cleared")]
