"""After a crash: finish or give up what was begun, then compare the world with the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from ledger.domain import events
from ledger.domain.configurations.decide import short
from ledger.domain.configurations.state import ApplyIntent
from ledger.domain.decision import Decision
from ledger.domain.drift.state import Drift, DriftSubject
from ledger.domain.errors import LedgerError, LedgerUnreachable, Refused, StaleRevision
from ledger.domain.log.event import Event
from ledger.domain.log.ids import Channel
from ledger.domain.modes import decide as modes
from ledger.domain.operations import ApplyOperation, RollbackOperation, SwitchOperation
from ledger.domain.state import SystemState, operation_of
from ledger.domain.values.actuation import Observed
from ledger.domain.values.modes import Mode, PauseKind, exposure
from ledger.domain.values.moments import iso
from ledger.service.configurations import apply, registration
from ledger.service.core.actuators import World, world_of
from ledger.service.core.recorder import Origin, within
from ledger.service.core.session import Finished, Ledger
from ledger.service.mitigations import mitigation
from ledger.service.modes import switch
from ledger.service.rollbacks import rollback

DRIFT_ATTEMPTS_MAX: Final = 5
EDITED_SHOWN_MAX: Final = 5


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
        ledger.memory.remember(state)
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
    state, now = ledger.load(system), ledger.recorder.clock.now()
    if not mitigation.due(state, now):
        return
    try:
        mitigation.tell(ledger, system, replace(origin, channel=Channel.RECOVERY))
    except LedgerUnreachable:
        raise
    except LedgerError as problem:
        problems.append(f"the mitigations could not be told: {problem.message}")
        return
    standing = mitigation.in_force(state, iso(now))
    over = [key for key in state.mitigations if key not in standing]
    told = ", ".join(standing) or "none"
    completed.append(
        f"mitigations: {', '.join(over)} ended by themselves; in force: {told}"
        if over
        else f"mitigations: the system was told anew; in force: {told}"
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
        finish = {"switch": _finish_switch, "apply": _finish_apply, "rollback": _finish_rollback}
        # Who came by is not who decided: the reason is theirs.
        finisher = replace(origin, channel=Channel.RECOVERY, reason=known.reason)
        what = f"{known.kind} #{known.position}"
        try:
            done, sentence = finish[known.kind](
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


def _finish_switch(
    ledger: Ledger, world: World, state: SystemState, operation: UUID, origin: Origin
) -> tuple[bool, str]:
    """A switch that the world has done is recorded; one that lowers exposure is done; a raise is given up."""
    begun = operation_of(state, operation, SwitchOperation)
    target, kind = begun.intent.to_mode, begun.intent.to_kind
    observed = world.modes.observe() if world.modes is not None else None
    reading = observed.safe if observed is not None and observed.agrees else None
    if begun.overtaken:
        why = "begun and not done; somebody has decided otherwise since"
    elif not modes.raises(state, target, kind, observed) or _lowers(observed, target, kind):
        result = switch.carry_out(ledger, world, state, operation, origin)
        return result.outcome == "switched", f"{target} {result.outcome}"
    elif reading is not None and reading.tells(target, kind):
        # Only recorded: carrying it out again would raise the exposure a second time.
        outcome = switch.arrived(begun.intent, reading.actuator)
        _, given_up = switch.record(ledger, state.system, operation, outcome, origin)
        return given_up is None, f"{target} {given_up or 'had been carried out'}"
    else:
        why = "begun and not done; raising the exposure again needs a person"
    abandoned = events.ModeSwitchAbandoned(
        to_mode=target.value, to_kind=kind.value if kind else None, explanation=why
    )
    ledger.recorder.end(state.system, operation, lambda _: [abandoned], origin)
    return False, f"{target} was {why}"


def _lowers(observed: Observed | None, target: Mode, kind: PauseKind | None) -> bool:
    """Tell whether a pause lowers what every source says, though the ledger thinks of a graver one.

    So after a switch that reached the world and was not recorded: the pause was decided later.
    """
    stands = observed.safe if observed is not None else None
    return (
        target is Mode.PAUSED
        and stands is not None
        and stands.mode is not None
        and exposure(target, kind) < exposure(stands.mode, stands.pause_kind)
    )


def _finish_apply(
    ledger: Ledger, world: World, state: SystemState, operation: UUID, origin: Origin
) -> tuple[bool, str]:
    """An apply of which nothing was written is given up; one that was partly done is completed.

    One that somebody has decided against since is recorded if all of it is in place, and else given up.
    """
    begun = operation_of(state, operation, ApplyOperation)
    fingerprint = begun.intent.fingerprint
    contents: dict[str, bytes] = {}
    why = "begun, and nothing was written"
    if begun.overtaken:
        why = "begun, and somebody has decided otherwise since"
    else:
        try:
            contents = apply.restored(ledger, state, fingerprint, begun.intent.snapshot, world)
        except LedgerUnreachable:
            raise
        except LedgerError as problem:
            why = f"begun, and can't be completed: {problem.message}"
    standing = world.configs.read() if world.configs is not None else {}
    changed = _changed_by(state, begun.intent)
    written = [standing.get(name) == contents[name] for name in contents if name in changed]
    done = any(written)
    if contents and not apply.still_wanted(state, operation):
        done, why = all(written), "begun, and its phase was decided against since"
    if done:
        apply.complete_apply(ledger, world, state, operation, contents, origin)
        return True, f"{short(fingerprint)} is in place"
    failed = events.ConfigApplyFailed(fingerprint=fingerprint, explanation=f"{why}; given up")
    ledger.recorder.end(state.system, operation, lambda _: [failed], origin)
    return False, f"{short(fingerprint)} was {why}"


def _changed_by(state: SystemState, intent: ApplyIntent) -> set[str]:
    """Return the files that an apply writes anew: one that stays as it is can't tell whether it was begun."""
    new = state.configs[intent.fingerprint].snapshots[intent.snapshot]
    before = state.configs.get(state.fingerprint or "")
    old = before.snapshots.get(state.snapshot or "", ()) if before is not None else ()
    stays = {file.name: file for file in old}
    names = {file.name for file in new}
    return {file.name for file in new if file != stays.get(file.name)} or names


def _finish_rollback(
    ledger: Ledger, world: World, state: SystemState, operation: UUID, origin: Origin
) -> tuple[bool, str]:
    """A rollback is completed, unless somebody has decided otherwise since: something was wrong."""
    begun = operation_of(state, operation, RollbackOperation)
    intent = begun.intent
    if begun.overtaken:
        why = "begun, and somebody has decided otherwise since"
        given_up = events.RollbackAbandoned(explanation=why)
        ledger.recorder.end(state.system, operation, lambda _: [given_up], origin)
        return False, f"to {short(intent.to_fingerprint)} was {why}"
    contents = apply.restored(ledger, state, intent.to_fingerprint, intent.snapshot, world)
    rollback.complete(ledger, world, state, operation, contents, origin)
    return True, f"back on {short(intent.to_fingerprint)}"


# --- drift --------------------------------------------------------------------------------------


def detect_drift(ledger: Ledger, system: str, origin: Origin) -> tuple[SystemState, list[str]]:
    """Record where the world and the ledger differ, and where they agree again.

    Returns the state after, and sentences on what could not be told.
    """
    for attempt in range(1, DRIFT_ATTEMPTS_MAX + 1):
        state = ledger.load(system)
        found, untold = find_drift(ledger, state)
        news: list[Event] = [
            event
            for subject, event in found.items()
            if subject not in state.drift or state.drift[subject].found != event.found
        ]
        news += [
            events.DriftCleared(subject=subject)
            for subject in state.drift
            if subject not in found and not untold
        ]
        try:
            # A pause meanwhile (it holds no lock) is no drift: then the world is compared anew.
            state, _ = ledger.recorder.decide(
                system,
                lambda _, news=news: Decision(tuple(news)),
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
    found: dict[DriftSubject, events.DriftDetected] = {}
    mode, kind = modes.current(state)
    if world.modes is not None and mode is not None:
        seen = " / ".join(
            f"{reading.actuator}: "
            + (
                _mode_text(reading.mode, reading.pause_kind)
                if reading.mode
                else f"unknown ({reading.problem})"
            )
            for reading in world.modes.observe().readings
            if not reading.tells(mode, kind)
        )
        if seen:
            found["mode"] = events.DriftDetected(
                subject="mode", expected=_mode_text(mode, kind), found=seen
            )
    code, untold = _code_drift(world, state)
    if code is not None:
        found["code"] = code
    if world.configs is None or state.fingerprint is None:
        return found, untold
    try:
        drifted = _config_drift(ledger, world, state)
    except Refused as problem:  # not the ledger's key: every secret would look like another
        return found, [*untold, f"{problem.message} {problem.hint or ''}".strip()]
    if drifted is not None:
        found["config"] = drifted
    return found, untold


def _code_drift(world: World, state: SystemState) -> tuple[events.DriftDetected | None, list[str]]:
    """Compare the code checkout with what was last recorded of it. Configuration files don't count here."""
    checkout = world.code(world.config_files)
    if checkout is None or state.code is None:
        return None, []
    try:
        standing = checkout.observe()
    except LedgerError as problem:
        return None, [problem.message]
    if standing.commit == state.code and not standing.edited:
        return None, []
    found = standing.commit
    if standing.edited:
        found += f", changed by hand: {', '.join(standing.edited[:EDITED_SHOWN_MAX])}"
    return events.DriftDetected(subject="code", expected=state.code, found=found), []


def _mode_text(mode: str, kind: str | None) -> str:
    return f"{mode}/{kind}" if kind else str(mode)


def _config_drift(ledger: Ledger, world: World, state: SystemState) -> events.DriftDetected | None:
    import orjson

    from ledger.domain.values.fingerprints import diff

    expected = str(state.fingerprint)
    try:
        standing = registration.standing_in(ledger, world, registration.names_in_force(state))
    except (Refused, LedgerUnreachable):
        raise
    except LedgerError as problem:
        return events.DriftDetected(
            subject="config", expected=expected, found=f"unreadable: {problem.message}"
        )
    if standing is None:
        return events.DriftDetected(subject="config", expected=expected, found="missing")
    if standing.fingerprint == expected:
        return None
    now = orjson.loads(standing.canonical)
    then = orjson.loads(ledger.blob(expected.removeprefix("sha256:")))
    changes = tuple(
        events.Change(key=change.key, old=change.old, new=change.new) for change in diff(then, now)
    )
    return events.DriftDetected(
        subject="config", expected=expected, found=standing.fingerprint, changes=changes
    )
