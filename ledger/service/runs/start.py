"""The start of a supervised run: on record before it begins, under supervision to its end (I5)."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final
from uuid import UUID

from ledger import fail_points, files
from ledger.domain.decision import Decision
from ledger.domain.errors import (
    BadInput,
    LedgerError,
    LedgerUnreachable,
    OperationInProgress,
    Unreachable,
)
from ledger.domain.log.ids import uuid7
from ledger.domain.runs import decide as runs
from ledger.domain.runs.decide import HALTED, ModeAtStart
from ledger.domain.state import SystemState
from ledger.domain.values.actuation import NotCarried, Reading
from ledger.domain.values.modes import Mode, PauseKind
from ledger.service import offline
from ledger.service.core.actuators import World, world_of
from ledger.service.core.operation import Operation, begin
from ledger.service.core.recorder import Origin, within
from ledger.service.core.session import Ledger
from ledger.service.runs import environment, run as running
from ledger.service.runs.supervisor import Ended, Program

LOCK_TIMEOUT_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class _View:
    world: World
    reading: Reading | None
    """The safest answer of the world to what mode it is in."""
    configured: Mapping[str, str]
    """The variables that the configuration in force sets."""
    code: str | None
    named: Mapping[str, str | None]
    """The configuration keys that its first line names."""


@dataclass(frozen=True, slots=True)
class _Work:
    environment: Mapping[str, str]
    since_revision: int


@dataclass(frozen=True, slots=True)
class RunResult:
    """What became of a run."""

    ended: Ended
    after: SystemState | None
    """The state after its end; None: that waits in the spool here, or could not be recorded."""
    since_revision: int
    """The state's revision before its start."""
    problem: str | None = None
    """Why its end could not be recorded."""


@dataclass(frozen=True, slots=True)
class RunStart(Operation[_View, _Work, RunResult]):
    """A program that is run under supervision. The caller holds the locks of a run."""

    fail_point: ClassVar[str] = "run"
    run_tag: str
    command: tuple[str, ...]
    program: Program
    held: contextlib.ExitStack
    """Has the program pass on signals, from just before its start is on record until it is closed."""
    out: Path
    """Where what it leaves for people and scripts is written."""
    say: Callable[[str], None]
    announce: Callable[[str], None]
    """Shows the line that a run begins with."""

    @property
    def what(self) -> str:
        """The run that is started."""
        return f"run {self.run_tag}"

    def observe(self, ledger: Ledger, state: SystemState, origin: Origin) -> _View:
        """Ask the world for its mode, and the configuration in force for its variables."""
        configured = environment.of_configuration(ledger, state)
        runs.require_agreement(configured, os.environ)
        world = world_of(state.actuators, ledger.recorder.clock)
        reading = world.modes.observe().safe if world.modes is not None else None
        named = running.named_keys(ledger, state)
        return _View(world, reading, configured, ledger.code_commit(state), named)

    def decide(self, ledger: Ledger, state: SystemState, view: _View) -> Decision:
        """Return the record of its start."""
        return self.started(state, runs.mode_at_start(state, view.reading), view.code)

    def started(self, state: SystemState, mode: ModeAtStart, code: str | None) -> Decision:
        """Return the record of a start here, in ``mode``, by this process."""
        host = socket.gethostname()
        return runs.start(
            state, self.run_tag, self.command, at_start=mode, pid=os.getpid(), host=host, code=code
        )

    def may_raise(self, state: SystemState, view: _View) -> bool:
        """Yes, where the mode is real."""
        return state.mode == Mode.REAL.value

    def secure(
        self, ledger: Ledger, state: SystemState, view: _View, intent: Decision, origin: Origin
    ) -> _Work:
        """Put the mode where the system reads it, and write what a run leaves for people and scripts."""
        mode = runs.mode_at_start(state, view.reading)
        _restore_mode(state, view.world, mode, self.say)
        return self.prepared(ledger, state, mode, view.configured, view.named)

    def prepared(
        self,
        ledger: Ledger,
        state: SystemState,
        mode: ModeAtStart,
        configured: Mapping[str, str],
        named: Mapping[str, str | None],
    ) -> _Work:
        """Write what a run leaves, show its first line, and return what its program is started with."""
        now = ledger.recorder.clock.now()
        facts = running.facts(state, self.run_tag, mode.shown, now, named)
        documents = {
            "run_tag.txt": f"{self.run_tag}\n".encode(),
            "run.json": running.as_json(facts),
        }
        running.write_out(self.out, documents)
        self.announce(running.first_line(facts))
        given = environment.whole(os.environ, environment.told_of_run(facts, state), configured)
        self.held.enter_context(self.program)
        return _Work(given, state.revision)

    def perform(
        self, ledger: Ledger, state: SystemState, operation: UUID, work: _Work, origin: Origin
    ) -> RunResult:
        """Run the program to its end, and record how it ended."""
        return self.supervise(ledger, state.system, work, origin, away=False)

    def supervise(
        self, ledger: Ledger, system: str, work: _Work, origin: Origin, *, away: bool
    ) -> RunResult:
        """Run the program to its end. Whatever goes wrong after it, how the program ended is returned.

        Raises:
            BadInput: it can't be started; that is recorded.
        """
        try:
            ended = self.program.run(work.environment)
        except BadInput:
            running.record(ledger, system, runs.never_started(self.run_tag), origin, away=away)
            raise
        try:
            after = running.record(
                ledger, system, running.outcome(self.run_tag, ended), origin, away=away
            )
        except LedgerError as problem:
            return RunResult(ended, None, work.since_revision, problem.message)
        return RunResult(ended, after, work.since_revision)


def start(ledger: Ledger, system: str, run: RunStart, origin: Origin) -> RunResult:
    """Start a run of ``system``, and see it to its end.

    Raises:
        Unreachable: the system would not find the mode that was last recorded.
        LedgerUnreachable: the ledger went away before the start was recorded; nothing was started.
        BadInput: the program can't be started; that is recorded.
    """
    try:
        return begin(ledger, system, run, origin)
    except LedgerUnreachable as problem:
        problem.hint = (
            "Nothing was started. Run it again: without the ledger it starts in paused/halt."
        )
        raise


def start_without_ledger(ledger: Ledger, system: str, run: RunStart, origin: Origin) -> RunResult:
    """Start a run of a system that `halt` has paused; its record waits in the spool here.

    Raises:
        LedgerUnreachable: this machine does not remember the system.
        BadInput: the program can't be started; that is journalled.
    """
    state = ledger.memory.recall(system)
    if state is None:
        raise LedgerUnreachable(f"This machine does not remember {system}.", hint="rollout doctor")
    origin = within(origin, uuid7())
    work = run.prepared(ledger, state, HALTED, {}, {})
    started = run.started(state, HALTED, ledger.code_commit(state))
    offline.spool_events(ledger, system, started.events, origin)
    fail_points.reach("run.after_intent")
    return run.supervise(ledger, system, work, origin, away=True)


def halt(
    ledger: Ledger, system: str, origin: Origin, away: LedgerError, say: Callable[[str], None]
) -> None:
    """Put ``system`` into paused/halt: without the ledger nobody can tell which mode it may be in.

    Raises:
        Unreachable: it would find another mode.
        LedgerUnreachable: this machine does not remember how it is reached.
    """
    result = offline.pause(ledger, system, PauseKind.HALT, origin, away=away)
    if result.outcome == "not_carried":
        state = offline.remembered(ledger, system, None, away)
        _require_environment(state, HALTED.shown, result.explanation, say)
    elif result.outcome not in {"switched", "skipped"}:
        raise _another_mode(system, HALTED.shown, result.explanation)


def _restore_mode(
    state: SystemState, world: World, mode: ModeAtStart, say: Callable[[str], None]
) -> None:
    """Put ``mode`` where the system reads it, unless it stands there.

    Raises:
        Unreachable: the system would find another one.
    """
    if world.modes is None:
        return
    if mode.in_place:
        recorded = runs.mode_at_start(state, None).shown
        if mode.shown != recorded:
            say(f"the ledger says {recorded}, and {mode.shown} stands there: that stays")
        return
    try:
        carried = world.modes.switch(
            mode=mode.mode,
            pause_kind=mode.kind,
            message="restored at the start of a run",
            operation_id="",
        )
    except NotCarried as problem:
        _require_environment(state, mode.shown, problem.message, say)
        return
    if not carried.confirmed:
        raise _another_mode(
            state.system, mode.shown, "; ".join(carried.warnings) or "not confirmed"
        )
    say(f"the mode {mode.shown} was restored")


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


# --- the locks of a run, and what they tell ---


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


def finish(ledger: Ledger, system: str, origin: Origin) -> str | None:
    """Record the crash of a run that was found dead on this machine; return a sentence on it, if any.

    The caller holds the locks of a run: they say that its supervisor and its program are dead.
    """
    before = ledger.load(system).run
    if before is None:
        return None
    if before.operation is not None:
        origin = within(origin, UUID(before.operation))
    decision = ledger.decide(
        system, lambda state: runs.found_dead(state, socket.gethostname()), origin
    )
    if not decision.events:
        return None
    return f"the run {before.run} ended without a word: its supervisor was found dead"


def finish_if_dead(ledger: Ledger, system: str, origin: Origin) -> str | None:
    """Do as `finish`, unless a process lives that holds the locks of a run."""
    state = ledger.load(system)
    if not runs.found_dead(state, socket.gethostname()).events:
        return None
    store, lock = ledger.recorder.store, f"run:{system}"
    try:
        with alone_here(ledger, system, "recover"):
            if not store.try_lock(lock):
                return None
            try:
                return finish(ledger, system, origin)
            finally:
                with contextlib.suppress(LedgerError):
                    store.unlock(lock)
    except OperationInProgress:
        return None
