"""Alerts and incidents, by hand. What a rule may do on its own comes in by the same functions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from ledger.domain import events
from ledger.domain.alerts.naming import is_of_another_phase, rule_of
from ledger.domain.alerts.silencing import silenced_by
from ledger.domain.alerts.state import Alert, Incident
from ledger.domain.decision import Decision, require_reason, require_registered
from ledger.domain.errors import BadInput, ReasonRequired, Refused, UnknownName
from ledger.domain.log.ids import Actor, ActorKind
from ledger.domain.state import SystemState
from ledger.domain.values.alert_actions import STOPPING
from ledger.domain.values.moments import iso

IncidentStep: TypeAlias = Literal["acknowledged", "resolved", "closed"]
# What people may make of an incident, from what it is. Time runs one way.
_NEXT: Final[Mapping[str, frozenset[IncidentStep]]] = {
    "open": frozenset({"acknowledged", "resolved"}),
    "acknowledged": frozenset({"resolved"}),
    "mitigated": frozenset({"acknowledged", "resolved"}),
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
    require_registered(state)
    firing = state.alerts.get(alert)
    if firing is not None and firing.severity == severity:
        return Decision(skipped=f"{alert} is firing already, since {firing.since}")
    fired = events.AlertFired(
        alert=alert,
        severity=severity,  # type: ignore[arg-type] -- the model checks it
        message=message,
        labels=dict(labels),
    )
    has_incident = any(
        one.alert == alert and one.status != "resolved" for one in state.incidents.values()
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
    """Acknowledge an alert, and the incident that was opened for it."""
    firing = _open_alert(state, alert)
    if firing.acknowledged_by:
        return Decision(skipped=f"{alert} was acknowledged already, by {firing.acknowledged_by}")
    decided: list[events.Event] = [events.AlertAcknowledged(alert=alert)]
    decided += [
        events.IncidentAcknowledged(incident=name)
        for name, incident in state.incidents.items()
        if incident.alert == alert and incident.status == "open"
    ]
    return Decision(tuple(decided))


def resolve(state: SystemState, alert: str) -> Decision:
    """Resolve an alert by hand."""
    require_registered(state)
    _open_alert(state, alert)
    return Decision((events.AlertResolved(alert=alert, how="manual"),))


def _open_alert(state: SystemState, alert: str) -> Alert:
    require_registered(state)
    firing = state.alerts.get(alert)
    if firing is None:
        raise UnknownName(
            f"{state.system} has no open alert {alert!r}.",
            hint=f"rollout alert list {state.system} shows them",
        )
    return firing


def open_incident(state: SystemState, incident: str, *, title: str, severity: str) -> Decision:
    """Open an incident by hand."""
    require_registered(state)
    opened = events.IncidentOpened(incident=incident, title=title, severity=severity)  # type: ignore[arg-type] -- the model checks it
    return Decision((opened,))


def mitigated_by(state: SystemState, action: str) -> tuple[events.Event, ...]:
    """Return what an action that reduces exposure means for the incidents that stand open."""
    return tuple(
        events.IncidentMitigated(incident=name, action=action)
        for name, incident in state.incidents.items()
        if incident.status in {"open", "acknowledged"}
    )


def move_incident(
    state: SystemState, incident: str, status: IncidentStep, *, resolution: str = ""
) -> Decision:
    """Take an incident one step further, to acknowledged, resolved (by ``resolution``) or closed.

    Raises:
        UnknownName: there is no such incident that is not closed.
        Refused: it can't become ``status`` from what it is.
    """
    before = unclosed_incident(state, incident)
    if before.status == status:
        return Decision(skipped=f"{incident} is {status} already")
    if status not in _NEXT[before.status]:
        raise Refused(
            f"{incident} is {before.status}: it can't become {status}.",
            hint="resolve it first, then close it" if status == "closed" else None,
        )
    if status == "acknowledged":
        return Decision((events.IncidentAcknowledged(incident=incident),))
    if status == "resolved":
        return Decision((events.IncidentResolved(incident=incident, resolution=resolution),))
    return Decision((events.IncidentClosed(incident=incident),))


def note_incident(state: SystemState, incident: str, note: str) -> Decision:
    """Add a remark to an incident."""
    unclosed_incident(state, incident)
    return Decision((events.IncidentNoted(incident=incident, note=note),))


def silence(
    state: SystemState,
    matchers: Mapping[str, str],
    *,
    until: datetime,
    holds_actions: bool,
    actor: Actor,
    reason: str | None,
) -> Decision:
    """Silence the alerts that ``matchers`` name for a while: nobody is told of them.

    Raises:
        ReasonRequired: no person asks for it, or nobody says why.
        BadInput: it would be of everything.
    """
    require_registered(state)
    if actor.kind is not ActorKind.HUMAN:
        raise ReasonRequired("A silence needs a person and a reason.", hint="--reason TEXT")
    require_reason(reason, "A silence needs a person and a reason.")
    if not matchers:
        raise BadInput(
            "A silence of everything is none.", hint="Name an alert, or --match LABEL=VALUE"
        )
    silenced = events.AlertSilenced(
        # Named after its place in the log, which no other has, even where two people silence at once.
        silence=f"S-{state.revision + 1}",
        matchers=dict(matchers),
        until=iso(until),
        holds_actions=holds_actions,
    )
    return Decision((silenced,))


def lift_silence(state: SystemState, silence: str) -> Decision:
    """Lift a silence before its time.

    Raises:
        UnknownName: there is none of that name.
    """
    require_registered(state)
    if silence not in state.silences:
        raise UnknownName(
            f"{state.system} has no silence {silence!r}.",
            hint="It has: " + (", ".join(state.silences) or "none"),
        )
    return Decision((events.SilenceLifted(silence=silence, how="manual"),))


def expired_silences(state: SystemState, now: datetime) -> Decision:
    """End the silences whose time has passed."""
    return Decision(
        tuple(
            events.SilenceLifted(silence=name, how="expired")
            for name, silence in state.silences.items()
            if silence.until <= iso(now)
        )
    )


def twin_incidents(state: SystemState) -> Decision:
    """Resolve the incidents that were opened twice: by who was killed, and by who followed unaware.

    A watch that begins while the ledger is away can't know what was appended last.
    """
    first: dict[str, str] = {}
    twins: list[events.Event] = []
    for name, incident in state.incidents.items():
        alert = incident.alert
        if alert is None or incident.status == "resolved":
            continue
        if alert in first:
            resolution = f"opened twice: see {first[alert]}"
            twins.append(events.IncidentResolved(incident=name, resolution=resolution))
        first.setdefault(alert, name)
    return Decision(tuple(twins))


def awaits_action(alert: Alert) -> bool:
    """Tell whether the rule of an alert acts, and nobody has acted for it with success.

    A pause or a rollback that failed is tried again. A mitigation is not: what refused it once refuses it for
    ever.
    """
    rule = alert.rule
    if rule is None or not rule.acts:
        return False
    return alert.acted is None or (alert.acted == "failed" and rule.action in STOPPING)


def why_not_to_act(
    state: SystemState, alert: Alert, cooldown: timedelta, now: datetime
) -> str | None:
    """Return why the rule of an alert does not act now; None: it does.

    No rule overrides a person who has decided on the mode or the configuration since it fired (I9).
    """
    if state.human_position > alert.position > 0:
        return "a person has decided since it fired"
    last = state.rule_actions.get(rule_of(alert))
    if last is None or not cooldown:
        return None
    acted = datetime.fromisoformat(last.at)
    over = acted + cooldown
    if not acted <= now < over:  # acted in the future: a clock was set back, and tells nothing
        return None
    return f"it acted at {last.at}, and cools down until {iso(over)}"


def fires_on(state: SystemState, alert: Alert, settles: timedelta, now: datetime) -> bool:
    """Tell whether an alert fires though its rule has acted, ``settles`` ago: that did not help.

    So it is where its rule did not act because it cooled down, or because another had gone back for all.
    """
    rule = alert.rule
    if rule is None or not rule.acts or alert.clear_since is not None:
        return False
    if alert.acted != "done" and not (alert.acted == "skipped" and has_to_pause(state, alert)):
        return False
    begun = datetime.fromisoformat(alert.since)
    last = state.rule_actions.get(rule_of(alert))
    acted = datetime.fromisoformat(last.at) if last is not None else begun
    return (acted if acted + settles > begun else begun) + settles <= now


def has_to_pause(state: SystemState, alert: Alert) -> bool:
    """Tell whether an alert that fires on after its rule has acted is followed by a pause.

    A mitigation is not: it was to soften something, and what comes then the plan says. Nor what a person has
    decided on since (I9).
    """
    rule = alert.rule
    return (
        rule is not None
        and rule.action in STOPPING
        and state.mode != "paused"
        and not state.human_position > alert.position > 0
    )


def keeps_from_real(state: SystemState, now: datetime) -> str | None:
    """Return a critical alert that fires and whose rule pauses, or has paused for it.

    Meanwhile nobody switches to real. Where its condition has ended, it is the kill criterion of a phase
    that was left, or a person holds the actions on it for a while, it keeps nobody.
    """
    for key, alert in state.alerts.items():
        if alert.severity != "critical" or alert.rule is None or alert.clear_since is not None:
            continue
        acted = state.rule_actions.get(rule_of(alert))
        paused = acted is not None and acted.action == "pause" and acted.at >= alert.since
        if alert.rule.action != "pause" and not paused:
            continue
        if is_of_another_phase(alert.rule.name, state.phase_name):
            continue
        if silenced_by(state, key, now, actions=True) is None:
            return key
    return None


def unclosed_incident(state: SystemState, name: str) -> Incident:
    """Return an incident that is not closed.

    Raises:
        UnknownName: there is none of that name.
    """
    require_registered(state)
    incident = state.incidents.get(name)
    if incident is None:
        raise UnknownName(
            f"{state.system} has no incident {name!r} that is not closed.",
            hint=f"rollout incident list {state.system} shows them",
        )
    return incident
