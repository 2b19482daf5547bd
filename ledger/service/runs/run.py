"""Supervised runs: what start scripts do, for any program, with a record that survives a crash."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from ledger import files
from ledger.domain import events
from ledger.domain.configurations.decide import short
from ledger.domain.decision import Decision
from ledger.domain.errors import (
    LedgerError,
    LedgerUnreachable,
    OperationInProgress,
    Unreachable,
)
from ledger.domain.log.ids import control_stream
from ledger.domain.modes import decide as modes
from ledger.domain.state import SystemState
from ledger.domain.values.actuation import NotCarried
from ledger.domain.values.modes import Mode, PauseKind, exposure
from ledger.domain.values.moments import iso
from ledger.service import offline
from ledger.service.core.actuators import world_of
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger
from ledger.service.runs.supervisor import Ended

LOCK_TIMEOUT_SECONDS: Final = 0.5


@contextlib.contextmanager
def alone_here(ledger: Ledger, system: str, run_tag: str) -> Iterator[int]:
    """Be the only run of ``system`` on this machine; yield the lock, for the program to hold as well.

    Raises:
        OperationInProgress: one is under way, or its program has outlived its supervisor.
    """
    path = ledger.home / "locks" / f"run-{system.replace('/', '%2F')}.lock"
    with contextlib.ExitStack() as stack:
        try:
            lock = files.exclusive_lock(path, timeout_seconds=LOCK_TIMEOUT_SECONDS, what=run_tag)
            descriptor = stack.enter_context(lock)
        except OperationInProgress as problem:
            raise OperationInProgress(
                f"{system} runs already: {problem.message}.",
                hint="Stop that process first; two would trade on one account.",
            ) from None
        yield descriptor


def require_alone(ledger: Ledger, state: SystemState) -> None:
    """Raise if a run of the system is under way on any machine that shares the ledger.

    Raises:
        OperationInProgress: one is.
    """
    if ledger.recorder.store.try_lock(f"run:{state.system}"):
        return
    host = state.run.host if state.run is not None else "another machine"
    raise OperationInProgress(
        f"{state.system} runs already, on {host}.",
        hint=f"rollout log {state.system} --type RunStarted says who started it",
    )


def crashed_before(state: SystemState) -> events.CrashDetected | None:
    """Return what to record of a run that is under way by the log, and was on this machine.

    Whoever asks holds the locks of a run, so its supervisor and its program are dead.
    """
    run = state.run
    if run is None or run.status != "running" or run.host != socket.gethostname():
        return None
    return events.CrashDetected(run=run.run, explanation="its supervisor was found dead")


def restore_mode(ledger: Ledger, state: SystemState, say: Callable[[str], None]) -> str:
    """Put the mode that was last recorded where the system reads it; never a more exposed one than is there.

    A system that was never switched starts in mock. Returns the mode that the system will find.

    Raises:
        Unreachable: it would find another one.
    """
    mode, kind = modes.current(state)
    mode = mode or Mode.MOCK
    shown = modes.shown(mode, kind)
    world = world_of(state.actuators, ledger.recorder.clock)
    if world.modes is None:
        return shown
    found = world.modes.observe().safe
    if found is not None and found.mode is not None:
        if found.tells(mode, kind):
            return shown
        if exposure(found.mode, found.pause_kind) < exposure(mode, kind):
            told = modes.shown(found.mode, found.pause_kind)
            say(f"the ledger says {shown}, and {told} stands there: that stays")
            return told
    try:
        carried = world.modes.switch(
            mode=mode, pause_kind=kind, message="restored at the start of a run", operation_id=""
        )
    except NotCarried as problem:
        _require_environment(state, shown, problem.message, say)
        return shown
    if not carried.confirmed:
        raise _another_mode(state.system, shown, "; ".join(carried.warnings) or "not confirmed")
    say(f"the mode {shown} was restored")
    return shown


def halt_without_ledger(
    ledger: Ledger, system: str, origin: Origin, away: LedgerError, say: Callable[[str], None]
) -> str:
    """Put ``system`` into paused/halt: nobody can tell which mode it may be in.

    Raises:
        Unreachable: it would find another mode.
        LedgerUnreachable: this machine does not remember how it is reached.
    """
    halted = modes.shown(Mode.PAUSED, PauseKind.HALT)
    result = offline.pause(ledger, system, PauseKind.HALT, origin, away=away)
    if result.outcome == "not_carried":
        state = offline.remembered(ledger, system, None, away)
        _require_environment(state, halted, result.explanation, say)
    elif result.outcome not in {"switched", "skipped"}:
        raise _another_mode(system, halted, result.explanation)
    return halted


def _require_environment(
    state: SystemState, shown: str, problem: str, say: Callable[[str], None]
) -> None:
    """A program that is told over HTTP alone can't be told before it runs: its environment has to do."""
    if state.actuators.control_file:
        raise _another_mode(state.system, shown, problem)
    say(f"warning: {shown} is told by EXEC_MODE alone, until it answers: {problem}")


def _another_mode(system: str, shown: str, problem: str) -> Unreachable:
    return Unreachable(
        f"{system} would not find the mode {shown}: {problem.rstrip('.')}.",
        hint="Mend that, then run it again; nothing was started.",
    )


def state_before_start(ledger: Ledger, system: str, *, away: bool) -> SystemState:
    """Return the state of now; what this machine remembers of it while the ledger is ``away``.

    Raises:
        LedgerUnreachable: the ledger went away since the run was prepared, or nothing is remembered.
    """
    if not away:
        with _nothing_started():
            return ledger.load(system)
    state = ledger.memory.recall(system)
    if state is None:
        raise LedgerUnreachable(f"This machine does not remember {system}.", hint="rollout doctor")
    return state


def record_start(
    ledger: Ledger, system: str, started: events.RunStarted, origin: Origin, *, away: bool
) -> None:
    """Record that a run begins, before it does (I5); journal it while the ledger is ``away``.

    Raises:
        LedgerUnreachable: the ledger went away since the mode was restored.
    """
    if away:
        offline.spool_events(ledger, system, [started], origin)
        return
    with _nothing_started():
        ledger.decide(system, lambda _: Decision((started,)), origin)


@contextlib.contextmanager
def _nothing_started() -> Iterator[None]:
    try:
        yield
    except LedgerUnreachable as problem:
        problem.hint = (
            "Nothing was started. Run it again: without the ledger it starts in paused/halt."
        )
        raise


def record(
    ledger: Ledger,
    system: str,
    happened: Sequence[events.Event],
    origin: Origin,
    *,
    away: bool = False,
) -> SystemState | None:
    """Append, or journal while the ledger is ``away``; return the state after, if it could be told."""
    if not away:
        try:
            state, _ = ledger.recorder.decide(system, lambda _: Decision(tuple(happened)), origin)
        except LedgerUnreachable:
            pass
        else:
            ledger.memory.remember(state)
            return state
    offline.spool_events(ledger, system, happened, origin)
    return None


def outcome(run_tag: str, ended: Ended) -> events.Event:
    """Return the event that says how a run ended."""
    if ended.crashed:
        return events.CrashDetected(
            run=run_tag,
            exit_code=ended.exit_code,
            signal=ended.signal,
            seconds=ended.seconds,
            explanation=ended.told,
        )
    return events.RunStopped(
        run=run_tag,
        exit_code=ended.exit_code,
        signal=ended.signal,
        seconds=ended.seconds,
        asked=ended.asked,
    )


def write_out(folder: Path, documents: Mapping[str, bytes]) -> None:
    """Write what a run leaves for people and scripts: each whole, or not at all."""
    for name, content in documents.items():
        files.write_atomically(folder / name, content, create_folder=True)


def facts(state: SystemState, run_tag: str, mode: str, now: Any) -> dict[str, Any]:
    """Return what the first line and run.json say."""
    return {
        "run_tag": run_tag,
        "config_fingerprint": state.fingerprint,
        "tags": [tag for tag, name in state.tags.items() if name == state.fingerprint],
        "profile": state.profile.name if state.profile is not None else None,
        "profile_fingerprint": state.profile_fingerprint,
        "phase": state.phase_name,
        "mode": mode,
        "started_at": iso(now),
    }


def first_line(told: Mapping[str, Any]) -> str:
    """Return the line that a run begins with, so that a log says what ran."""
    named = f" ({', '.join(told['tags'])})" if told["tags"] else ""
    return (
        f"run_tag={told['run_tag']} config_fingerprint={short(told['config_fingerprint'])}{named} "
        f"mode={told['mode']} phase={told['phase'] or '-'} profile={told['profile'] or '-'}"
    )


def stop_report(
    ledger: Ledger, state: SystemState, since_revision: int, ended: Ended
) -> dict[str, Any]:
    """Return what happened in a run, as the log has it."""
    counted: dict[str, int] = {}
    alerts: list[str] = []
    for event in ledger.recorder.store.read_stream(control_stream(state.system), since_revision):
        counted[event.type] = counted.get(event.type, 0) + 1
        if event.type == "AlertFired":
            alerts.append(event.data["alert"])
    return {
        "ended": ended.told,
        "crashed": ended.crashed,
        "seconds": ended.seconds,
        "mode": modes.shown_state(state),
        "config_fingerprint": state.fingerprint,
        "alerts_fired": alerts,
        "alerts_open": sorted(state.alerts),
        "mode_switches": counted.get("ModeSwitched", 0),
        "rollbacks": counted.get("RollbackCompleted", 0),
        "events": dict(sorted(counted.items())),
        "up_to_position": state.position,
    }


def as_json(document: Mapping[str, Any]) -> bytes:
    """Return ``document`` for a file."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
