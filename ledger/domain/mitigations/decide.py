"""Mitigations: put in force, told, lifted. A rule never raises the exposure by one (I9)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ledger.domain import events
from ledger.domain.decision import Decision, require_no_rule, require_reason, require_registered
from ledger.domain.errors import Refused, UnknownName
from ledger.domain.log.event import decimal_text
from ledger.domain.log.ids import Actor
from ledger.domain.mitigations.events import MitigationKind
from ledger.domain.mitigations.state import StandingMitigation, mitigation_key
from ledger.domain.state import SystemState
from ledger.domain.values.choices import OneOf
from ledger.domain.values.fingerprints import leaf_text
from ledger.domain.values.moments import iso

_LABEL: Final = re.compile(r"\$labels\.(\w+)")
SaferSide = OneOf["lower", "higher", "either"]


@dataclass(frozen=True, slots=True)
class PlannedMitigation:
    """A mitigation as the plan has it; `ledger.profiles.model.Mitigation` says what each field means."""

    name: str
    kind: MitigationKind
    template: str = ""
    """The target, or the key of the configuration; may hold {{ $labels.NAME }}."""
    factor: float | None = None
    value: str | int | float | bool | None = None
    change: float | None = None
    min: float | None = None
    max: float | None = None
    safer: SaferSide | None = None
    expires: timedelta = timedelta(hours=1)


def request(
    state: SystemState,
    planned: PlannedMitigation,
    *,
    target: str,
    labels: Mapping[str, str],
    alert: str | None,
    configured: str | None,
    now: datetime,
) -> Decision:
    """Ask for a mitigation of ``target``, which is the template with the labels in it.

    ``configured`` is the value of its key in the configuration in force, as canonical JSON.

    Raises:
        Refused: it would raise the exposure (I9), the system can't be told, or a label is missing.
    """
    require_registered(state)
    for label in _LABEL.findall(planned.template):
        if not labels.get(label):
            raise Refused(
                f"{planned.name} is about {planned.template}, and there is no label {label} to tell what "
                "that is.",
                hint=f"by hand: --label {label}=VALUE",
            )
    file_of(state)
    value = _value(planned, configured)
    standing = state.mitigations.get(mitigation_key(planned.name, target))
    if standing is not None and standing.status == "applied" and standing.until > iso(now):
        return Decision(skipped=f"{planned.name} is in force already, until {standing.until}")
    requested = events.MitigationRequested(
        mitigation=planned.name,
        kind=planned.kind,
        target=target,
        value=value,
        factor=decimal_text(planned.factor) if planned.factor is not None else None,
        until=iso(now + planned.expires),
        alert=alert,
    )
    return Decision((requested,))


def file_of(state: SystemState) -> str:
    """Return the path of the file that tells the system.

    Raises:
        Refused: none is registered.
    """
    path = state.actuators.mitigation_file
    if path is None:
        raise Refused(
            f"{state.system} can't be told of a mitigation: no file for that is registered.",
            hint=f"rollout system add {state.system} --mitigation-file PATH …",
        )
    return path


def _value(planned: PlannedMitigation, configured: str | None) -> str | None:
    """Return the value of a lock or an override, on the side that the plan calls safer.

    Raises:
        Refused: it would go the other way (I9), or the configuration holds no number to compare with.
    """
    if planned.kind == "lock":
        return leaf_text(planned.value) if planned.value is not None else configured
    if planned.kind != "override":
        return None
    if planned.change is not None:
        present = _number(planned, configured)
        wanted = present + planned.change
    elif isinstance(planned.value, int | float):
        present = _number(planned, configured)
        wanted = float(planned.value)
    else:
        return leaf_text(planned.value)
    at_least = max(wanted, planned.min) if planned.min is not None else wanted
    bounded = min(at_least, planned.max) if planned.max is not None else at_least
    if (planned.safer == "lower" and bounded > present) or (
        planned.safer == "higher" and bounded < present
    ):
        raise Refused(
            f"{planned.template} is {present:g}: {bounded:g} would raise the exposure, and a rule never does."
        )
    return leaf_text(int(bounded) if bounded == int(bounded) else bounded)


def _number(planned: PlannedMitigation, configured: str | None) -> float:
    try:
        return float(str(configured).strip('"'))
    except ValueError:
        raise Refused(
            f"{planned.template} is {configured or 'not set'}: it can't be told what is safer."
        ) from None


def in_force(state: SystemState, now: datetime) -> dict[str, StandingMitigation]:
    """Return the mitigations whose time is not over at ``now``, by key."""
    moment = iso(now)
    return {key: standing for key, standing in state.mitigations.items() if standing.until > moment}


def settled(state: SystemState, now: datetime) -> bool:
    """Tell whether the log has the outcome of every mitigation: none is over, none was only requested."""
    standing = in_force(state, now)
    return len(standing) == len(state.mitigations) and all(
        mitigation.status != "requested" for mitigation in standing.values()
    )


def file_written(state: SystemState, keys: Collection[str], now: datetime, path: str) -> Decision:
    """Record what is new once the mitigations of ``keys`` stand in the file at ``path``.

    One that somebody asked for since is not among them: whoever did writes the file again.
    """
    news: list[events.Event] = []
    for key, standing in state.mitigations.items():
        name, target = standing.mitigation, standing.target
        if standing.until <= iso(now):
            news.append(events.MitigationLifted(mitigation=name, target=target, how="expired"))
        elif standing.status == "requested" and key in keys:
            news.append(events.MitigationApplied(mitigation=name, target=target, path=path))
            news += _incidents_mitigated(state, standing)
    return Decision(tuple(news))


def _incidents_mitigated(
    state: SystemState, standing: StandingMitigation
) -> list[events.IncidentMitigated]:
    """Return what a mitigation means for the incidents of the alert that it answers, if it answers one."""
    if standing.alert is None:
        return []
    return [
        events.IncidentMitigated(incident=name, action=standing.key)
        for name, incident in state.incidents.items()
        if incident.alert == standing.alert and incident.status in {"open", "acknowledged"}
    ]


def file_not_written(state: SystemState, keys: Collection[str], explanation: str) -> Decision:
    """Record the failure of the mitigations of ``keys`` that were only requested."""
    return Decision(
        tuple(
            events.MitigationFailed(
                mitigation=standing.mitigation, target=standing.target, explanation=explanation
            )
            for key, standing in state.mitigations.items()
            if key in keys and standing.status == "requested"
        )
    )


def lift(state: SystemState, key: str, *, actor: Actor, reason: str | None) -> Decision:
    """Lift a mitigation before its time: that takes a protection away.

    Raises:
        ReasonRequired: nobody says why.
        Refused: a rule asks (I9).
        UnknownName: it is not in force.
    """
    require_registered(state)
    require_reason(reason, "Lifting a mitigation needs a reason.")
    require_no_rule(actor, f"lifting {key}")
    standing = state.mitigations.get(key)
    if standing is None:
        raise UnknownName(
            f"{state.system} has no mitigation {key!r} in force.",
            hint="In force: " + (", ".join(state.mitigations) or "none"),
        )
    lifted = events.MitigationLifted(
        mitigation=standing.mitigation, target=standing.target, how="manual"
    )
    return Decision((lifted,))
