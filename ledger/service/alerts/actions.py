"""What rules do about alerts that fire: each firing once, and only what reduces exposure (I9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from ledger.alerts import own
from ledger.alerts.rules import AlertRule, owner
from ledger.alerts.series import SeriesStore
from ledger.domain import events
from ledger.domain.alerts import decide as alerts
from ledger.domain.alerts.silencing import silenced_by
from ledger.domain.alerts.state import ActionName, ActionOutcome, FiredRule
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

    def told(
        action: ActionName, outcome: ActionOutcome, explanation: str
    ) -> events.AlertActionTaken:
        return events.AlertActionTaken(
            alert=key, action=action, outcome=outcome, explanation=explanation
        )

    alert_rule = owner(rules.values(), alert)
    cooldown = alert_rule.cooldown if alert_rule is not None else timedelta(0)
    why_not = alerts.why_not_to_act(state, alert, cooldown, now)
    if why_not is not None:
        return [told(rule.action, "skipped", why_not)]
    try:
        if rule.action == "pause":
            return [told("pause", *_pause(ledger, state, rule.argument, origin, away))]
        if rule.action == "mitigate":
            if away is not None:
                return []
            name, labels = str(rule.argument), alert.labels
            applied = mitigation.apply(ledger, plan, state.system, name, labels, key, origin)
            return [told("mitigate", applied.outcome, applied.explanation)]
        return _roll_back(ledger, state, rule, origin, away, told, since=alert.since)
    except Conflict:
        return []  # somebody is at work on the system: try again
    except LedgerError as problem:
        if isinstance(problem, LedgerUnreachable) and rule.action == "mitigate":
            return []  # without the ledger there is no mitigation: when it is back
        return [told(rule.action, "failed", problem.message)]


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


def _roll_back(
    ledger: Ledger,
    state: SystemState,
    rule: FiredRule,
    origin: Origin,
    away: LedgerError | None,
    taken: Callable[[ActionName, ActionOutcome, str], events.AlertActionTaken],
    *,
    since: str,
) -> list[events.AlertActionTaken]:
    """Roll back; where that can't be done, or finds nothing to go back to, pause: something has to give."""
    target = rule.argument or "last_stable"
    selector = LAST_STABLE if target == "last_stable" else target
    try:
        if isinstance(away, LedgerUnreachable):
            result = offline.rollback(ledger, state.system, selector, origin, away)
        else:
            result = rollback.rollback(ledger, state.system, selector, origin)
    except Conflict:
        raise
    except LedgerError as problem:
        failed = taken("rollback", "failed", problem.message)
        outcome, explanation = _pause(ledger, state, "halt", origin, away)
        return [failed, taken("pause", outcome, f"instead of the rollback: {explanation}")]
    if result.outcome == "skipped":
        skipped = taken("rollback", "skipped", result.explanation)
        # What a killed watch had begun may have been finished just now, and is in no state from before.
        if went_back_since(state if away is not None else ledger.load(state.system), since):
            return [skipped]
        outcome, explanation = _pause(ledger, state, "halt", origin, away)
        return [skipped, taken("pause", outcome, f"there is nothing to go back to: {explanation}")]
    return [taken("rollback", "done", f"back on {result.fingerprint[7:19]}")]


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
