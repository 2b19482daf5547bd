"""Phases: entered and left by the plan's rules, with the limits that the configuration has to keep."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ledger.configuration.overlay import says
from ledger.domain import events
from ledger.domain.configurations.decide import short
from ledger.domain.decision import Decision
from ledger.domain.errors import GateClosed, LedgerError, LedgerUnreachable, StaleRevision
from ledger.domain.log.ids import Actor
from ledger.domain.plans import decide as phases
from ledger.domain.state import SystemState
from ledger.domain.values.fingerprints import flatten, leaf_text
from ledger.profiles.phases import Phase
from ledger.service.configurations.apply import ApplyResult
from ledger.service.core.plan_in_force import plan_of
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger
from ledger.service.plans import entry
from ledger.service.rollbacks import rollback

Decide = Callable[[SystemState], Decision]


def enter(ledger: Ledger, system: str, name: str, origin: Origin) -> Decision:
    """Enter a phase, with its overlay on the configuration.

    Raises:
        GateClosed: the configuration says something else than the phase allows.
        BadInput, DriftFound: see `entering.overlaid`.
        Refused, Inconclusive, ApprovalNeeded, UnknownName: as `phases.enter` does.
    """
    return _go(ledger, system, name, origin)


def advance(ledger: Ledger, system: str, origin: Origin) -> Decision:
    """Leave the present phase forward. Raises as `enter` does, of the next phase."""
    return _go(ledger, system, None, origin)


def abort(ledger: Ledger, system: str, origin: Origin) -> tuple[Decision, ApplyResult | None]:
    """Give the rollout up, and put back what the phase's overlay took the place of (`phases.to_put_back`).

    Returns what was decided, and the rollback, where there was something to put back.

    Raises:
        LedgerError: the rollout is given up, and the configuration could not be put back.
    """
    before = phases.to_put_back(ledger.load(system))
    if before is None:
        return ledger.decide(system, phases.abort, origin), None

    decided = Decision()

    def first(state: SystemState) -> Decision:
        nonlocal decided
        if phases.to_put_back(state) != before:
            raise StaleRevision(f"Somebody has put something else in force in {system} meanwhile.")
        decided = phases.abort(state)
        return decided

    try:
        result = rollback.rollback(ledger, system, before, origin, first=first)
    except LedgerUnreachable:
        raise
    except LedgerError as problem:
        if not phases.is_over(ledger.load(system)):
            ledger.decide(system, phases.abort, origin)
            problem.hint = (
                "The rollout is given up, and its configuration stands. Mend that; then: "
                f"rollout rollback {system} --to {short(before)} --reason …"
            )
        raise
    if result.outcome == "skipped":  # what was in flight after a crash was just finished
        return ledger.decide(system, phases.abort, origin), None
    return decided, result


@dataclass(frozen=True, slots=True)
class Preview:
    """What entering a phase would do."""

    decision: Decision
    changes: tuple[events.Change, ...] = ()
    files: tuple[str, ...] = ()


def preview(ledger: Ledger, system: str, name: str | None, actor: Actor) -> Preview:
    """Return what entering a phase (None: advancing) would do; touches nothing. Raises as that does."""
    state = ledger.load(system)
    phase, decide = _step(ledger, state, name, actor)
    decided = decide(state)
    wanted = entry.overlaid(ledger, state, phase) if phase and decided.events else None
    if phase is None or wanted is None:
        if decided.events:
            _require_configuration(ledger, state, phase)
        return Preview(decided)
    _require_allowed(system, phase, wanted.snapshot.canonical, wanted.texts)
    return Preview(decided, wanted.changes, wanted.paths)


def _step(
    ledger: Ledger, state: SystemState, name: str | None, actor: Actor
) -> tuple[Phase | None, Decide]:
    """Return the phase that is entered (None: the last one is left), and how that is decided."""
    now = ledger.recorder.clock.now()
    forward = name is None
    if forward:
        phases.present_phase(state)
        following = phases.next_phase(state)
        name = following.name if following else None
    else:
        phases.planned(state, name)
    phase = plan_of(ledger, state).profile.phase(name) if name else None

    def decide(state: SystemState) -> Decision:
        limits, scope = _limits(phase), _scope(phase)
        if forward:
            following = phases.next_phase(state)
            if (following.name if following else None) != name:
                raise StaleRevision(
                    f"The rollout of {state.system} went on meanwhile.",
                    hint=f"rollout phase list {state.system}",
                )
            return phases.advance(state, actor, now, limits=limits, scope=scope)
        return phases.enter(state, str(name), actor, now, limits=limits, scope=scope)

    return phase, decide


def _go(ledger: Ledger, system: str, name: str | None, origin: Origin) -> Decision:
    """Enter a phase (None: advance), and put its configuration in place with it, if it has one."""
    before = ledger.load(system)
    state = _settled(ledger, before, origin)
    if state.phase is not None and state.phase != before.phase:
        # Who repeats a command that was killed wants that one done, not the one after it.
        return Decision(
            skipped=f"what a crash left was finished just now: it is in {state.phase.name}"
        )
    phase, decide = _step(ledger, state, name, origin.actor)
    if phase is not None and decide(state).events and entry.overlaid(ledger, state, phase):
        return entry.enter(
            ledger, system, phase, decide, origin,
            lambda overlaid: _require_allowed(system, phase, overlaid.snapshot.canonical, overlaid.texts),
        )  # fmt: skip

    def decide_on_what_is_in_force(state: SystemState) -> Decision:
        decided = decide(state)
        if decided.events:
            _require_configuration(ledger, state, phase)
        return decided

    return ledger.decide(system, decide_on_what_is_in_force, origin)


def _settled(ledger: Ledger, state: SystemState, origin: Origin) -> SystemState:
    """Return the state, with what a crash left of its configuration finished or given up."""
    if not any(operation.kind in {"apply", "rollback"} for operation in state.operations.values()):
        return state
    with ledger.operating(state.system, "settling what a crash left"):
        ledger.finish_dead_operations(state.system, origin)
    return ledger.load(state.system)


def _limits(phase: Phase | None) -> dict[str, str]:
    if phase is None:
        return {}
    return {key: leaf_text(value) for key, value in phase.exposure.items()}


def _scope(phase: Phase | None) -> dict[str, tuple[str, ...]]:
    return dict(phase.scope) if phase is not None else {}


def breaches(phase: Phase, configuration: Any, texts: Collection[str] = frozenset()) -> list[str]:
    """Return, as sentences, where a configuration says something else than a phase allows.

    A number under ``exposure`` is the most that the key may say; anything else, and all of ``overlay``,
    has to stand there as it is. A key that is not there can't be told to be within its limit (I8).
    ``texts`` are the keys of files that have nothing but texts (``.env``): 5 is "5" there.
    """
    said = flatten(configuration)
    sentences = [
        f"{key} is {said.get(key, 'not set')}, and this phase has {leaf_text(wanted)}"
        for key, wanted in phase.overlay.items()
        if not says(said.get(key), wanted, is_text=key in texts)
    ]
    for key, most in phase.exposure.items():
        value = _number(said.get(key))
        if isinstance(most, int | float) and not isinstance(most, bool):
            if value is None:
                sentences.append(
                    f"{key} is {said.get(key, 'not set')}, and has to be at most {most}"
                )
            elif value > most:
                sentences.append(f"{key} is {said[key]}, more than the {most} of this phase")
        elif not says(said.get(key), most, is_text=key in texts):
            sentences.append(
                f"{key} is {said.get(key, 'not set')}, and this phase has {leaf_text(most)}"
            )
    return sentences


def _number(text: str | None) -> float | None:
    """Return a number that a configuration says, be it in quotes (bots write decimals so) or not."""
    try:
        return float(str(text).strip('"')) if text is not None else None
    except ValueError:
        return None


def _require_configuration(ledger: Ledger, state: SystemState, phase: Phase | None) -> None:
    if phase is None or not (phase.exposure or phase.overlay):
        return
    if state.fingerprint is None:
        raise GateClosed(
            f"{phase.name} has limits, and {state.system} has no configuration in force.",
            hint=f"rollout config put {state.system} FILE… --in-force",
        )
    canonical = ledger.blob(state.fingerprint.removeprefix("sha256:"))
    _require_allowed(state.system, phase, canonical, entry.texts_in_force(ledger, state))


def _require_allowed(system: str, phase: Phase, canonical: bytes, texts: Collection[str]) -> None:
    configuration: Mapping[str, Any] = orjson.loads(canonical)
    problems = breaches(phase, configuration, texts)
    if problems:
        raise GateClosed(
            f"The configuration is not that of {phase.name}: {'; '.join(problems)}.",
            hint=f"rollout config put {system} FILE…, then rollout config apply {system} FINGERPRINT",
        )
