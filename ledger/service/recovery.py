"""After a crash: finish or give up what was begun, then compare the world with the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

import orjson

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.drift import decide as drift
from ledger.domain.drift.state import Drift, DriftSubject
from ledger.domain.errors import LedgerError, LedgerUnreachable, Refused, StaleRevision
from ledger.domain.log.ids import Channel
from ledger.domain.modes import decide as modes
from ledger.domain.operations import OperationKind
from ledger.domain.state import SystemState
from ledger.domain.values.fingerprints import diff
from ledger.service.configurations import apply, comparison
from ledger.service.core.actuators import World, world_of
from ledger.service.core.operation import Finish
from ledger.service.core.recorder import Origin, within
from ledger.service.core.session import Finished, Ledger
from ledger.service.mitigations import mitigation
from ledger.service.modes import switch
from ledger.service.rollbacks import rollback
from ledger.service.runs import start as runs

DRIFT_ATTEMPTS_MAX: Final = 5

FINISH: Final[Mapping[OperationKind, Finish]] = {
    "switch": switch.finish,
    "apply": apply.finish,
    "rollback": rollback.finish,
    "mitigation": mitigation.finish,
}
"""How what a dead process began is finished, by kind of operation."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What `recover` did, and the state to resume from."""

    system: str
    completed: tuple[str, ...]
    abandoned: tuple[str, ...]
    problems: tuple[str, ...]
    drift: Mapping[DriftSubject, Drift]
    mode: str | None
    pause_kind: str | None
    fingerprint: str | None
    state: SystemState


def recover(ledger: Ledger, system: str, origin: Origin, *, spooled: int = 0) -> Recovery:
    """Bring ``system`` to a state that a fresh process can go on from, and say so in the log.

    Raises:
        OperationInProgress: somebody is at work on it; nothing is dead, so nothing is recovered.
    """
    with ledger.operating(system, "recover"):
        finished = ledger.finish_dead_operations(system, origin)
        completed, abandoned, problems = finished.completed, finished.abandoned, finished.problems
        _settle_mitigations(ledger, system, origin, completed, problems)
        crash = runs.finish_if_dead(ledger, system, replace(origin, channel=Channel.RECOVERY))
        if crash is not None:
            abandoned.append(crash)
        state, untold = detect_drift(ledger, system, origin)
        if state.unconfirmed is not None:
            told = state.unconfirmed
            abandoned.append(
                f"switch #{told.position}: {told.to} was never confirmed ({told.detail}); "
                f"the system is to be {modes.shown_state(state)}"
            )
        if completed or abandoned or spooled:
            told = events.StateRecovered(
                completed=tuple(completed),
                abandoned=tuple(abandoned),
                spooled=spooled,
                mode=state.mode,  # type: ignore[arg-type] -- the model checks it
                pause_kind=state.pause_kind,  # type: ignore[arg-type] -- the model checks it
                fingerprint=state.fingerprint,
            )
            state, _ = ledger.recorder.decide(system, lambda _: Decision((told,)), origin)
        return Recovery(
            system=system,
            completed=tuple(completed),
            abandoned=tuple(abandoned),
            problems=(*problems, *untold),
            drift=state.drift,
            mode=state.mode,
            pause_kind=state.pause_kind,
            fingerprint=state.fingerprint,
            state=state,
        )


def _settle_mitigations(
    ledger: Ledger, system: str, origin: Origin, completed: list[str], problems: list[str]
) -> None:
    """Tell the system of mitigations that it was not told of, and end those whose time is over."""
    state = ledger.load(system)
    if not mitigation.due(ledger, state):
        return
    try:
        mitigation.tell(ledger, system, replace(origin, channel=Channel.RECOVERY))
    except LedgerUnreachable:
        raise
    except LedgerError as problem:
        problems.append(f"the mitigations could not be told: {problem.message}")
        return
    standing = ledger.load(system).mitigations
    over = [key for key in state.mitigations if key not in standing]
    names = ", ".join(standing) or "none"
    completed.append(
        f"mitigations: {', '.join(over)} ended by themselves; in force: {names}"
        if over
        else f"mitigations: the system was told anew; in force: {names}"
    )


def finish_dead_operations(ledger: Ledger, system: str, origin: Origin) -> Finished:
    """Complete or abandon every operation in flight; the caller's locks say that their processes are dead."""
    completed: list[str] = []
    abandoned: list[str] = []
    problems: list[str] = []
    state = ledger.load(system)
    for operation, known in sorted(state.operations.items(), key=lambda item: item[1].position):
        state = ledger.load(system)
        if operation not in state.operations:
            continue
        world = world_of(state.actuators, ledger.recorder.clock)
        # Who came by is not who decided: the reason is theirs.
        finisher = replace(origin, channel=Channel.RECOVERY, reason=known.reason)
        what = f"{known.kind} #{known.position}"
        try:
            done, sentence = FINISH[known.kind](
                ledger, world, state, UUID(operation), within(finisher, UUID(operation))
            )
        except LedgerUnreachable:
            raise
        except LedgerError as problem:
            if operation in ledger.load(system).operations:
                problems.append(f"{what} stays open: {problem.message}")
                continue
            done, sentence = False, problem.message
        (completed if done else abandoned).append(f"{what}: {sentence}")
        ledger.warn(f"{what} was left in flight by a crash: {sentence}")
    return Finished(completed, abandoned, problems)


# --- drift --------------------------------------------------------------------------------------


def detect_drift(ledger: Ledger, system: str, origin: Origin) -> tuple[SystemState, list[str]]:
    """Record where the world and the ledger differ, and where they agree again.

    Returns the state after, and sentences on what could not be told.
    """
    for attempt in range(1, DRIFT_ATTEMPTS_MAX + 1):
        state = ledger.load(system)
        differing, untold = find_drift(ledger, state)
        try:
            # A pause meanwhile (it holds no lock) is no drift: then the world is compared anew.
            state, _ = ledger.recorder.decide(
                system,
                lambda state, differing=differing, untold=untold: drift.record(
                    state, differing, all_compared=not untold
                ),
                origin,
                if_revision=state.revision,
            )
        except StaleRevision:
            if attempt == DRIFT_ATTEMPTS_MAX:
                raise
            continue
        return state, untold
    raise AssertionError  # the loop returns or raises


def find_drift(
    ledger: Ledger, state: SystemState
) -> tuple[dict[DriftSubject, events.DriftDetected], list[str]]:
    """Compare the world with ``state``; return what differs, by subject, and what could not be told."""
    world = world_of(state.actuators, ledger.recorder.clock)
    differing: dict[DriftSubject, events.DriftDetected] = {}
    if world.modes is not None and state.mode is not None:
        mode = drift.of_mode(state, world.modes.observe())
        if mode is not None:
            differing["mode"] = mode
    code, untold = _code_drift(world, state)
    if code is not None:
        differing["code"] = code
    if world.configs is None or state.fingerprint is None:
        return differing, untold
    try:
        configuration = _config_drift(ledger, world, state)
    except Refused as problem:  # not the ledger's key: every secret would look like another
        return differing, [*untold, f"{problem.message} {problem.hint or ''}".strip()]
    if configuration is not None:
        differing["config"] = configuration
    return differing, untold


def _code_drift(world: World, state: SystemState) -> tuple[events.DriftDetected | None, list[str]]:
    """Compare the code checkout with what was last recorded of it. Configuration files don't count here."""
    checkout = world.code(world.config_files)
    if checkout is None or state.code is None:
        return None, []
    try:
        standing = checkout.observe()
    except LedgerError as problem:
        return None, [problem.message]
    return drift.of_code(state, standing.commit, standing.edited), []


def _config_drift(ledger: Ledger, world: World, state: SystemState) -> events.DriftDetected | None:
    expected = str(state.fingerprint)
    try:
        standing = comparison.standing_in(ledger, world, comparison.names_in_force(state))
    except (Refused, LedgerUnreachable):
        raise
    except LedgerError as problem:
        return events.DriftDetected(
            subject="config", expected=expected, found=f"unreadable: {problem.message}"
        )
    if standing is None:
        return events.DriftDetected(subject="config", expected=expected, found="missing")
    if comparison.as_recorded(ledger, state, standing, expected) == expected:
        return None
    now = orjson.loads(standing.canonical)
    then = orjson.loads(comparison.canonical_form(ledger, state, expected))
    changes = tuple(
        events.Change(key=change.key, old=change.old, new=change.new) for change in diff(then, now)
    )
    return events.DriftDetected(
        subject="config", expected=expected, found=standing.fingerprint, changes=changes
    )
