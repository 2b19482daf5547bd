"""Phases: entered and left by the plan's rules, with the limits that the configuration has to keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ledger.domain import events
from ledger.domain.configurations.decide import short
from ledger.domain.decision import Decision
from ledger.domain.errors import LedgerError, LedgerUnreachable
from ledger.domain.log.ids import Actor
from ledger.domain.plans import configuration, decide as phases
from ledger.domain.state import SystemState
from ledger.domain.values.fingerprints import leaf_text
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
        decided = phases.abort_from(state, before)
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
    configuration.require_allowed(system, phase, wanted.said, wanted.texts)
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
            phases.require_next(state, name)
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
        return entry.enter(ledger, system, phase, decide, origin)

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


def breaches_in_force(ledger: Ledger, state: SystemState) -> list[str]:
    """Return, as sentences, where the configuration in force says something else than the phase allows."""
    name = state.phase_name
    phase = plan_of(ledger, state).profile.phase(name) if name else None
    if phase is None or state.fingerprint is None or not (phase.exposure or phase.overlay):
        return []
    said = ledger.configuration(state.fingerprint)
    return configuration.breaches(phase, said, entry.texts_in_force(ledger, state))


def _require_configuration(ledger: Ledger, state: SystemState, phase: Phase | None) -> None:
    fingerprint = configuration.in_force_for(state, phase)
    if phase is not None and fingerprint is not None:
        said = ledger.configuration(fingerprint)
        configuration.require_allowed(
            state.system, phase, said, entry.texts_in_force(ledger, state)
        )
