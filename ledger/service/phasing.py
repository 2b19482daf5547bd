"""Phases: entered and left by the plan's rules, with the limits that the configuration has to keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from ledger.domain.configuration import flatten, leaf_text
from ledger.domain.decisions import Decision, phases
from ledger.domain.errors import GateClosed
from ledger.domain.state import SystemState
from ledger.profiles.phases import Phase
from ledger.service.context import Ledger
from ledger.service.planning import plan_of
from ledger.service.recorder import Origin


def enter(ledger: Ledger, system: str, name: str, origin: Origin) -> Decision:
    """Enter a phase.

    Raises:
        GateClosed: the configuration in force says something else than the phase allows.
        Refused, Inconclusive, ApprovalNeeded, UnknownName: as `phases.enter` does.
    """
    state = ledger.load(system)
    phases.planned(state, name)
    phase = plan_of(ledger, state).profile.phase(name)
    now = ledger.recorder.clock.now()

    def decide(state: SystemState) -> Decision:
        decided = phases.enter(
            state, name, origin.actor, now, limits=_limits(phase), scope=_scope(phase)
        )
        if decided.events:
            _insist_on_configuration(ledger, state, phase)
        return decided

    return ledger.decide(system, decide, origin)


def advance(ledger: Ledger, system: str, origin: Origin) -> Decision:
    """Leave the present phase forward. Raises as `enter` does, of the next phase."""
    state = ledger.load(system)
    phases.present_phase(state)
    following = phases.next_phase(state)
    phase = plan_of(ledger, state).profile.phase(following["name"]) if following else None
    now = ledger.recorder.clock.now()

    def decide(state: SystemState) -> Decision:
        decided = phases.advance(
            state, origin.actor, now, limits=_limits(phase), scope=_scope(phase)
        )
        _insist_on_configuration(ledger, state, phase)
        return decided

    return ledger.decide(system, decide, origin)


def _limits(phase: Phase | None) -> dict[str, str]:
    if phase is None:
        return {}
    return {key: leaf_text(value) for key, value in phase.exposure.items()}


def _scope(phase: Phase | None) -> dict[str, tuple[str, ...]]:
    return dict(phase.scope) if phase is not None else {}


def breaches(phase: Phase, configuration: Any) -> list[str]:
    """Return, as sentences, where a configuration says something else than a phase allows.

    A number under ``exposure`` is the most that the key may say; anything else, and all of ``overlay``,
    has to stand there as it is. A key that is not there can't be told to be within its limit (I8).
    """
    said = flatten(configuration)
    found = [
        f"{key} is {said.get(key, 'not set')}, and this phase has {leaf_text(wanted)}"
        for key, wanted in phase.overlay.items()
        if said.get(key) != leaf_text(wanted)
    ]
    for key, most in phase.exposure.items():
        value = _number(said.get(key))
        if isinstance(most, int | float) and not isinstance(most, bool):
            if value is None:
                found.append(f"{key} is {said.get(key, 'not set')}, and has to be at most {most}")
            elif value > most:
                found.append(f"{key} is {said[key]}, more than the {most} of this phase")
        elif said.get(key) != leaf_text(most):
            found.append(
                f"{key} is {said.get(key, 'not set')}, and this phase has {leaf_text(most)}"
            )
    return found


def _number(text: str | None) -> float | None:
    """Return a number that a configuration says, be it in quotes (bots write decimals so) or not."""
    try:
        return float(str(text).strip('"')) if text is not None else None
    except ValueError:
        return None


def _insist_on_configuration(ledger: Ledger, state: SystemState, phase: Phase | None) -> None:
    if phase is None or not (phase.exposure or phase.overlay):
        return
    if state.fingerprint is None:
        raise GateClosed(
            f"{phase.name} has limits, and {state.system} has no configuration in force.",
            hint=f"rollout config put {state.system} FILE… --in-force",
        )
    configuration: Mapping[str, Any] = orjson.loads(
        ledger.blob(state.fingerprint.removeprefix("sha256:"))
    )
    found = breaches(phase, configuration)
    if found:
        raise GateClosed(
            f"The configuration in force is not that of {phase.name}: {'; '.join(found)}.",
            hint=f"rollout config put {state.system} FILE…, then rollout config apply",
        )
