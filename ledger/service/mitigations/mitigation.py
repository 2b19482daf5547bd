"""Mitigations: told to the system by a file that says which are in force; lifted by themselves."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import orjson

from ledger import fail_points, files
from ledger.alerts.judge import filled
from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.errors import LedgerError, Refused, UnknownName
from ledger.domain.log.event import decimal_text
from ledger.domain.mitigations.state import StandingMitigation, mitigation_key
from ledger.domain.state import SystemState
from ledger.domain.values.fingerprints import flatten, leaf_text
from ledger.domain.values.moments import iso
from ledger.profiles.model import Mitigation
from ledger.profiles.plan import Plan
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger

FILE_BYTES_MAX: Final = 2**20
_LABEL: Final = re.compile(r"\$labels\.(\w+)")


def apply(
    ledger: Ledger,
    plan: Plan,
    system: str,
    name: str,
    labels: Mapping[str, str],
    alert: str | None,
    origin: Origin,
) -> tuple[Literal["done", "skipped"], str]:
    """Put a mitigation of the plan in force; return what was done, or why nothing was.

    Raises:
        UnknownName: the plan has no such mitigation.
        Refused: it would raise exposure (I9), the system can't be told, or what it is about is not known.
    """
    mitigation = plan.profile.mitigations.get(name)
    if mitigation is None:
        raise UnknownName(
            f"The plan of {system} has no mitigation {name!r}.",
            hint="It has: " + (", ".join(plan.profile.mitigations) or "none"),
        )
    now = ledger.recorder.clock.now()
    template = mitigation.target or mitigation.key or ""
    for label in _LABEL.findall(template):
        if not labels.get(label):
            raise Refused(
                f"{name} is about {template}, and there is no label {label} to tell what that is.",
                hint=f"by hand: --label {label}=VALUE",
            )
    target = filled(template, tuple(labels.items()), 0.0)
    until = now + mitigation.expires
    state = ledger.load(system)
    _file_of(state)
    requested = events.MitigationRequested(
        mitigation=name,
        kind=mitigation.kind,
        target=target,
        value=_value(ledger, state, mitigation),
        factor=decimal_text(mitigation.factor) if mitigation.factor is not None else None,
        until=iso(until),
        alert=alert,
    )

    def decide(state: SystemState) -> Decision:
        known = state.mitigations.get(mitigation_key(name, target))
        if known is not None and known.status == "applied" and known.until > iso(now):
            return Decision(skipped=f"{name} is in force already, until {known.until}")
        return Decision((requested,))

    decision = ledger.decide(system, decide, origin)
    if decision.skipped is not None:
        return "skipped", decision.skipped
    fail_points.reach("mitigate.after_intent")
    tell(ledger, system, origin)
    return "done", f"{name}{f' of {target}' if target else ''}, until {iso(until)}"


def tell(ledger: Ledger, system: str, origin: Origin) -> None:
    """Write the mitigations in force for the system to read, and record what is new. Safe to repeat."""
    state = ledger.load(system)
    now = iso(ledger.recorder.clock.now())
    standing = in_force(state, now)
    path = _file_of(state)
    try:
        files.write_atomically(path, document(standing), create_folder=True)
    except LedgerError as problem:
        failed = [
            events.MitigationFailed(
                mitigation=known.mitigation, target=known.target, explanation=problem.message
            )
            for known in standing.values()
            if known.status == "requested"
        ]
        ledger.decide(system, lambda _: Decision(tuple(failed)), origin)
        raise
    fail_points.reach("mitigate.after_act")
    ledger.decide(system, lambda state: Decision(told_of(state, standing, now, path)), origin)


def told_of(
    state: SystemState, written: Collection[str], now: str, path: Path
) -> tuple[events.Event, ...]:
    """Return what is new once the mitigations ``written`` (their keys) stand in the file at ``path``.

    One that somebody asked for since is not among them: whoever did writes the file again.
    """
    told: list[events.Event] = []
    for key, known in state.mitigations.items():
        name, target = known.mitigation, known.target
        if known.until <= now:
            told.append(events.MitigationLifted(mitigation=name, target=target, how="expired"))
        elif known.status == "requested" and key in written:
            told.append(events.MitigationApplied(mitigation=name, target=target, path=str(path)))
            told += _mitigated(state, known)
    return tuple(told)


def _mitigated(state: SystemState, known: StandingMitigation) -> list[events.Event]:
    """Return what a mitigation means for the incident of the alert that it answers, if it answers one."""
    if known.alert is None:
        return []
    return [
        events.IncidentMitigated(incident=name, action=known.key)
        for name, incident in state.incidents.items()
        if incident.alert == known.alert and incident.status in {"open", "acknowledged"}
    ]


def in_force(state: SystemState, now: str) -> dict[str, StandingMitigation]:
    """Return the mitigations whose time is not over at ``now`` (ISO 8601), by key."""
    return {key: known for key, known in state.mitigations.items() if known.until > now}


def due(state: SystemState, now: datetime) -> bool:
    """Tell whether the system has to be told: one is over, or the file does not say what the log says.

    Whoever appended may have died before it wrote the file.
    """
    moment = iso(now)
    standing = in_force(state, moment)
    if len(standing) < len(state.mitigations):
        return True
    if any(known.status == "requested" for known in standing.values()):
        return True
    place = state.actuators.mitigation_file
    if place is None:
        return False
    try:
        said = files.read_bounded(Path(place), bytes_max=FILE_BYTES_MAX)
    except LedgerError:
        return True
    return said != document(standing) if said is not None else bool(standing)


def lift(ledger: Ledger, system: str, key: str, origin: Origin) -> None:
    """End a mitigation before its time, by hand.

    Raises:
        UnknownName: it is not in force.
    """
    state = ledger.load(system)
    known = state.mitigations.get(key)
    if known is None:
        raise UnknownName(
            f"{system} has no mitigation {key!r} in force.",
            hint="In force: " + (", ".join(state.mitigations) or "none"),
        )
    lifted = events.MitigationLifted(mitigation=known.mitigation, target=known.target, how="manual")
    ledger.decide(system, lambda _: Decision((lifted,)), origin)
    fail_points.reach("mitigate.after_lift")
    tell(ledger, system, origin)


def document(standing: Mapping[str, StandingMitigation]) -> bytes:
    """Return what the system reads: the mitigations in force, as JSON."""
    shown = [
        {
            "mitigation": known.mitigation,
            "kind": known.kind,
            "target": known.target,
            "value": orjson.loads(known.value) if known.value is not None else None,
            "factor": float(known.factor) if known.factor is not None else None,
            "until": known.until,
        }
        for known in standing.values()
    ]
    return orjson.dumps({"mitigations": shown}, option=orjson.OPT_INDENT_2) + b"\n"


def _file_of(state: SystemState) -> Path:
    path = state.actuators.mitigation_file
    if path is None:
        raise Refused(
            f"{state.system} can't be told of a mitigation: no file for that is registered.",
            hint=f"rollout system add {state.system} --mitigation-file PATH …",
        )
    return Path(path)


def _value(ledger: Ledger, state: SystemState, mitigation: Mitigation) -> str | None:
    """Return the value of a lock or an override, on the side that the plan calls safer.

    Raises:
        Refused: it would go the other way (I9), or what the configuration says can't be told.
    """
    if mitigation.kind not in {"lock", "override"}:
        return None
    said = _said(ledger, state, str(mitigation.key))
    if mitigation.kind == "lock":
        return leaf_text(mitigation.value) if mitigation.value is not None else said
    if mitigation.change is None and not isinstance(mitigation.value, int | float):
        return leaf_text(mitigation.value)
    try:
        present = float(str(said).strip('"'))
    except ValueError:
        raise Refused(
            f"{mitigation.key} is {said or 'not set'}: it can't be told what is safer."
        ) from None
    wanted = float(mitigation.value) if mitigation.change is None else present + mitigation.change  # type: ignore[arg-type] -- a number, as asked above
    bounded = min(max(wanted, mitigation.min if mitigation.min is not None else wanted),
                  mitigation.max if mitigation.max is not None else wanted)  # fmt: skip
    if (mitigation.safer == "lower" and bounded > present) or (
        mitigation.safer == "higher" and bounded < present
    ):
        raise Refused(
            f"{mitigation.key} is {present:g}: {bounded:g} would raise the exposure, and a rule never does."
        )
    return leaf_text(int(bounded) if bounded == int(bounded) else bounded)


def _said(ledger: Ledger, state: SystemState, key: str) -> str | None:
    if state.fingerprint is None:
        return None
    content = ledger.blob(state.fingerprint.removeprefix("sha256:"))
    return flatten(orjson.loads(content)).get(key)
