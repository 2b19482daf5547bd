"""What rules do about alerts that fire: each firing once, and only what reduces exposure (I9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ledger.alerts import own
from ledger.alerts.rules import AlertRule, owner
from ledger.alerts.series import SeriesStore
from ledger.domain import events
from ledger.domain.alerts import decide as alerts
from ledger.domain.alerts.silencing import silenced_by
from ledger.domain.alerts.state import ActionName, ActionOutcome, Alert, FiredRule
from ledger.domain.errors import Conflict, LedgerError, LedgerUnreachable
from ledger.domain.log.ids import Actor, ActorKind, Channel
from ledger.domain.modes import decide as modes
from ledger.domain.rollbacks.decide import LAST_STABLE, went_back_since
from ledger.domain.state import SystemState
from ledger.domain.systems.state import Actuators
from ledger.domain.values.modes import Mode, PauseKind, exposure
from ledger.profiles.plan import Plan
from ledger.service import offline
from ledger.service.core.actuators import world_of
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger
from ledger.service.mitigations import mitigation
from ledger.service.rollbacks import rollback

SETTLES: Final = timedelta(minutes=15)
"""How long a rule without a cooldown is given to show that what it did has helped."""
OPEN_SECONDS: Final = "rollout_alert_open_seconds"
"""A series of our own: by severity, for how long the oldest alert has been open."""
MODE: Final = "rollout_mode"
"""A series of our own: 1 for the mode that the system is in."""


def due(state: SystemState, now: datetime) -> list[str]:
    """Return the alerts that fire, whose rule acts, and that nobody has acted upon with success."""
    return [
        key
        for key, alert in state.alerts.items()
        if alerts.awaits_action(alert) and silenced_by(state, key, now, actions=True) is None
    ]


def fires_on(state: SystemState, rules: Mapping[str, AlertRule], now: datetime) -> list[str]:
    """Return the alerts that fire though their rule has acted; each until that has been told.

    A rule's cooldown is how long its action is given; without one that is `SETTLES`, or as far as it looks
    back, where that is longer.
    """
    unhelped: list[str] = []
    for key, alert in state.alerts.items():
        rule = owner(rules.values(), alert)
        if rule is None or own.still_firing(key) in state.alerts:
            continue
        if silenced_by(state, key, now, actions=True) is not None:
            continue
        reach = timedelta(seconds=rule.expression.reach_seconds)
        taken_on = alert.acknowledged_by is not None and not alerts.has_to_pause(state, alert)
        settles = rule.cooldown or max(SETTLES, reach)
        if not taken_on and alerts.fires_on(state, alert, settles, now):
            unhelped.append(key)
    return unhelped


def escalate(
    ledger: Ledger, state: SystemState, key: str, away: LedgerError | None
) -> tuple[events.Event, ...]:
    """Pause for an alert that fires on, where that is left to do; return what to record of it.

    Nothing, where somebody is at work on the system: then it is tried again.
    """
    alert = state.alerts[key]
    taken: list[events.AlertActionTaken] = []
    if alert.rule is not None and alerts.has_to_pause(state, alert):
        origin = _origin(alert.rule, f"{key} is firing still: {alert.message}")
        try:
            outcome, explanation = _pause(ledger, state, "halt", origin, away)
        except Conflict:
            return ()
        except LedgerError as problem:
            outcome, explanation = "failed", problem.message
        taken = [
            events.AlertActionTaken(
                alert=key, action="pause", outcome=outcome, explanation=explanation
            )
        ]
    return own.fires_on(state, key, taken)


def _origin(rule: FiredRule, reason: str) -> Origin:
    actor = Actor(id=f"rule:{rule.name}", name=rule.name, kind=ActorKind.RULE)
    return Origin(actor=actor, channel=Channel.SCHEDULER, reason=reason)


def act(
    ledger: Ledger,
    plan: Plan,
    rules: Mapping[str, AlertRule],
    state: SystemState,
    key: str,
    *,
    away: LedgerError | None = None,
) -> list[events.AlertActionTaken]:
    """Act on one alert; return what to record of it: nothing, if it has to be tried again.

    ``away`` says why the ledger can't be reached; then what can be done without it is.
    """
    alert = state.alerts[key]
    rule = alert.rule
    if rule is None:
        return []  # raised by hand: `due` has none of those
    now = ledger.recorder.clock.now()
    origin = _origin(rule, f"{key} is firing: {alert.message}")

    task = _Task(ledger, plan, state, key, alert, rule, origin, away)
    alert_rule = owner(rules.values(), alert)
    cooldown = alert_rule.cooldown if alert_rule is not None else timedelta(0)
    why_not = alerts.why_not_to_act(state, alert, cooldown, now)
    if why_not is not None:
        return [task.taken("skipped", why_not)]
    try:
        return _WAYS[rule.action](task)
    except Conflict:
        return []  # somebody is at work on the system: try again
    except LedgerError as problem:
        return [task.taken("failed", problem.message)]


@dataclass(frozen=True, slots=True)
class _Task:
    """An alert to act on, and what to act with."""

    ledger: Ledger
    plan: Plan
    state: SystemState
    key: str
    alert: Alert
    rule: FiredRule
    origin: Origin
    away: LedgerError | None

    def taken(
        self, outcome: ActionOutcome, explanation: str, action: ActionName | None = None
    ) -> events.AlertActionTaken:
        """Return what to record of ``action``, or of the rule's own."""
        action = action or self.rule.action
        return events.AlertActionTaken(
            alert=self.key, action=action, outcome=outcome, explanation=explanation
        )

    def paused(self, argument: str | None) -> tuple[ActionOutcome, str]:
        """Pause, by the kind that ``argument`` names."""
        return _pause(self.ledger, self.state, argument, self.origin, self.away)


def _by_pause(task: _Task) -> list[events.AlertActionTaken]:
    return [task.taken(*task.paused(task.rule.argument))]


def _by_mitigation(task: _Task) -> list[events.AlertActionTaken]:
    """Apply the mitigation. Without the ledger there is none: when it is back."""
    if task.away is not None:
        return []
    name, labels = str(task.rule.argument), task.alert.labels
    try:
        applied = mitigation.apply(
            task.ledger, task.plan, task.state.system, name, labels, task.key, task.origin
        )
    except LedgerUnreachable:
        return []
    return [task.taken(applied.outcome, applied.explanation)]


def _by_rollback(task: _Task) -> list[events.AlertActionTaken]:
    """Roll back; where that can't be done, or finds nothing to go back to, pause: something has to give."""
    ledger, state, away = task.ledger, task.state, task.away
    target = task.rule.argument or "last_stable"
    selector = LAST_STABLE if target == "last_stable" else target
    try:
        if isinstance(away, LedgerUnreachable):
            result = offline.rollback(ledger, state.system, selector, task.origin, away)
        else:
            result = rollback.rollback(ledger, state.system, selector, task.origin)
    except Conflict:
        raise
    except LedgerError as problem:
        failed = task.taken("failed", problem.message)
        outcome, explanation = task.paused("halt")
        return [failed, task.taken(outcome, f"instead of the rollback: {explanation}", "pause")]
    if result.outcome == "skipped":
        skipped = task.taken("skipped", result.explanation)
        # What a killed watch had begun may have been finished just now, and is in no state from before.
        if went_back_since(
            state if away is not None else ledger.load(state.system), task.alert.since
        ):
            return [skipped]
        outcome, explanation = task.paused("halt")
        return [
            skipped,
            task.taken(outcome, f"there is nothing to go back to: {explanation}", "pause"),
        ]
    return [task.taken("done", f"back on {result.fingerprint[7:19]}")]


_WAYS: Final[Mapping[str, Callable[[_Task], list[events.AlertActionTaken]]]] = {
    "pause": _by_pause,
    "mitigate": _by_mitigation,
    "rollback": _by_rollback,
}
"""How each of `alert_actions.ACTING` is taken."""


def _pause(
    ledger: Ledger,
    state: SystemState,
    argument: str | None,
    origin: Origin,
    away: LedgerError | None,
) -> tuple[ActionOutcome, str]:
    kind = PauseKind(argument or "halt")
    mode, present = modes.current(state)
    if mode is Mode.PAUSED and exposure(mode, present) <= exposure(Mode.PAUSED, kind):
        if _world_is_at_most(ledger, state, kind):
            return "skipped", f"already {modes.shown(mode, present)}"
        kind = present or kind  # somebody has undone the pause by hand: the one that was decided
    else:
        kind = _no_softer_than_stands(ledger, state, kind)
    result = offline.pause(ledger, state.system, kind, origin, away=away)
    if result.outcome == "skipped":
        return "skipped", result.explanation
    if result.outcome == "switched":
        if not result.has_way:
            return "done", f"paused/{kind} is recorded only: no way to the system is registered"
        return "done", f"paused/{kind} by {result.carried_by}"
    return "failed", result.explanation


def _world_is_at_most(ledger: Ledger, state: SystemState, kind: PauseKind) -> bool:
    """Tell whether every source says of itself that it is paused like that, or more."""
    world = world_of(state.actuators, ledger.recorder.clock)
    return world.modes is None or all(
        reading.mode is not None
        and exposure(reading.mode, reading.pause_kind) <= exposure(Mode.PAUSED, kind)
        for reading in world.modes.observe().readings
    )


def _no_softer_than_stands(ledger: Ledger, state: SystemState, kind: PauseKind) -> PauseKind:
    """Return ``kind``, or the graver one that somebody put into the control file by hand (I9).

    The file alone is asked: an admin interface that hangs must not delay the pause.
    """
    path = state.actuators.control_file
    if path is None:
        return kind
    world = world_of(Actuators(control_file=path), ledger.recorder.clock)
    reading = world.modes.observe().safe if world.modes is not None else None
    return modes.no_softer(kind, reading)


def provide(series: SeriesStore, state: SystemState, mode: str | None, now: datetime) -> None:
    """Put the series of our own, as of ``now``, into ``series``."""
    at = now.timestamp()
    ages = open_seconds(state, now)
    series.replace(OPEN_SECONDS, [((("severity", s),), age) for s, age in ages.items()], at)
    modes = ("mock", "real", "paused")
    series.replace(MODE, [((("mode", one),), float(mode == one)) for one in modes], at)


def open_seconds(state: SystemState, now: datetime) -> dict[str, float]:
    """Return, by severity, for how long the oldest alert that fires has been open; 0: none is.

    An alert that goes by just that does not count, nor that its action failed: it would keep itself firing.
    """
    oldest = {"critical": 0.0, "warning": 0.0, "info": 0.0}
    for key, alert in state.alerts.items():
        rule = state.alerts.get(own.acted_upon(key), alert).rule
        if rule is not None and OPEN_SECONDS in rule.expr:
            continue
        age = (now - datetime.fromisoformat(alert.since)) / timedelta(seconds=1)
        oldest[alert.severity] = max(oldest[alert.severity], age)
    return oldest
