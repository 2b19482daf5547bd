"""Going back to a prior fingerprint, byte for byte: intent, a step per file, outcome; crash-safe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal, TypeAlias
from uuid import UUID

from ledger import fail_points
from ledger.domain import events
from ledger.domain.configurations.decide import require_files, short, snapshot_to_write
from ledger.domain.decision import Decision
from ledger.domain.errors import LedgerError, LedgerUnreachable, UnknownName, UsageError
from ledger.domain.evolve import fold
from ledger.domain.log.event import Event
from ledger.domain.log.ids import Actor, control_stream
from ledger.domain.operations import RollbackOperation
from ledger.domain.rollbacks import decide as rollbacks
from ledger.domain.rollbacks.state import RollbackIntent
from ledger.domain.state import SystemState, operation_of
from ledger.service.configurations.apply import (
    ApplyResult,
    Contents,
    require_in_place,
    restored,
    world_with_files,
)
from ledger.service.configurations.comparison import changes_to_what_stands, in_place, names_of
from ledger.service.configurations.registration import applied
from ledger.service.configurations.snapshots import save_unknown
from ledger.service.core.actuators import World
from ledger.service.core.operation import Operation, carry_out, look_ahead
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger
from ledger.service.rollbacks import checkout
from ledger.service.rollbacks.checkout import move_to

StepOutcome: TypeAlias = Literal["written", "already", "checked_out", "restarted"]


def selector_of(ledger: Ledger, system: str, name: str) -> str:
    """Return ``name``, or for #N the fingerprint that event N names, or that was in force as of it.

    Raises:
        UnknownName: there is no event N, or it says nothing of a configuration of this system.
    """
    if not name.startswith("#"):
        return name
    if not (name[1:].isdecimal() and name.isascii()):
        raise UsageError(
            f"{name!r} is no position.", hint="Write #N with the number that rollout log shows."
        )
    store = ledger.recorder.store
    event = store.get(int(name[1:]))
    if event is not None and event.system == system:
        named = event.data.get("fingerprint") or event.data.get("to_fingerprint")
        if isinstance(named, str):
            return named
        stream = store.read_stream(control_stream(system), up_to_position=event.position)
        state = fold(stream, SystemState(system))
        if state.fingerprint is not None:
            return state.fingerprint
    raise UnknownName(
        f"Event {name} tells no configuration of {system}.",
        hint=f"rollout log {system} --type ConfigApplied",
    )


def plan(
    ledger: Ledger, system: str, selector: str, origin: Origin, *, code: str | None = None
) -> tuple[Decision, tuple[events.Change, ...]]:
    """Return what a rollback would do, and the diff it would make; touches nothing."""
    state, view, decision = look_ahead(ledger, system, Rollback(selector, code), origin)
    if decision.skipped is not None:
        return decision, ()
    intent = RollbackIntent.of(decision.events[0].payload())
    # Refuses what would fail.
    restored(ledger, state, intent.to_fingerprint, intent.snapshot, view.world)
    return decision, changes_to_what_stands(ledger, state, view.world, intent.to_fingerprint)


def _move(
    ledger: Ledger,
    state: SystemState,
    selector: str,
    standing: str | None,
    code: str | None,
    actor: Actor,
) -> events.CodeMove | None:
    """Return how the code goes back too, if it is to; refuses what would fail."""
    if code is None:
        return None
    to = rollbacks.destination(state, selector, standing)
    names = names_of(state, to, snapshot_to_write(state, to))
    return move_to(ledger, state, code, names, actor)


@dataclass(frozen=True, slots=True)
class _View:
    world: World
    selector: str
    fingerprint: str | None
    """Of the files in place, if they could be read."""
    code: events.CodeMove | None


@dataclass(frozen=True, slots=True)
class Rollback(Operation[_View, Contents, ApplyResult]):
    """A way back to what ``selector`` names."""

    fail_point: ClassVar[str] = "rollback"
    lowers: ClassVar[bool] = True
    selector: str
    code: str | None = None
    """The commit that the code goes back to in the same operation."""
    first: Callable[[SystemState], Decision] = lambda _: Decision()
    """What it decides is recorded with the intent: both, or neither."""

    @property
    def what(self) -> str:
        """The command that does it."""
        return "rollback"

    def observe(self, ledger: Ledger, state: SystemState, origin: Origin) -> _View:
        """Read the files in place, and where the code stands; refuse what would fail."""
        world = world_with_files(ledger, state)
        selector = selector_of(ledger, state.system, self.selector)
        standing = in_place(ledger, state, world)
        move = _move(ledger, state, selector, standing, self.code, origin.actor)
        return _View(world, selector, standing, move)

    def decide(self, ledger: Ledger, state: SystemState, view: _View) -> Decision:
        """Return the request; see `rollbacks.request` for the rules."""
        intent = rollbacks.request(state, view.selector, in_place=view.fingerprint, code=view.code)
        if intent.skipped is not None:
            return intent
        return Decision((*self.first(state).events, *intent.events))

    def may_raise(self, state: SystemState, view: _View) -> bool:
        """No: it is the way back."""
        return False

    def secure(
        self, ledger: Ledger, state: SystemState, view: _View, intent: Decision, origin: Origin
    ) -> Contents:
        """Put the secrets back into the bytes, and keep what stands in place."""
        requested = next(e for e in intent.events if isinstance(e, events.RollbackRequested))
        target = RollbackIntent.of(requested.payload())
        contents = restored(ledger, state, target.to_fingerprint, target.snapshot, view.world)
        save_unknown(ledger, state, view.world, origin)
        return Contents(view.world, contents)

    def perform(
        self, ledger: Ledger, state: SystemState, operation: UUID, work: Contents, origin: Origin
    ) -> ApplyResult:
        """Do its steps."""
        return complete(ledger, work.world, state, operation, work.files, origin)

    def skipped(self, state: SystemState, view: _View, why: str) -> ApplyResult:
        """Return why there is nothing to do."""
        return ApplyResult(state.system, state.fingerprint or "", "skipped", why)


def rollback(
    ledger: Ledger,
    system: str,
    selector: str,
    origin: Origin,
    *,
    code: str | None = None,
    first: Callable[[SystemState], Decision] = lambda _: Decision(),
) -> ApplyResult:
    """Go back to what ``selector`` names; see `Rollback`.

    Raises:
        NothingStable, UnknownName, AmbiguousName: there is no target.
        Refused: the code has changes that would be lost, or that commit is no way back.
        SecretMissing: a secret can't be put back; nothing was touched.
        OperationInProgress: somebody else is at work on the system.
    """
    return carry_out(ledger, system, Rollback(selector, code, first), origin)


def complete(
    ledger: Ledger,
    world: World,
    state: SystemState,
    operation: UUID,
    contents: Mapping[str, bytes],
    origin: Origin,
) -> ApplyResult:
    """Do the steps of a rollback that are not done, and append its outcome. Safe to repeat.

    The code comes first, since a checkout may touch the configuration files; what starts the system again
    comes last, and not a second time once it is recorded.
    """
    begun = operation_of(state, operation, RollbackOperation)
    intent = begun.intent
    steps = _steps(ledger, world, state, intent, contents)
    written: list[str] = []
    for number, step in enumerate(steps, start=1):
        if number in begun.steps and step.once:
            continue
        done = step_done(ledger, state.system, operation, number, step, origin)
        if done.outcome == "written":
            written.append(done.path)
        if number not in begun.steps:
            ledger.recorder.end(state.system, operation, lambda _, done=done: [done], origin)
        fail_points.reach("rollback.after_step")
    require_in_place(ledger, world, state, intent.to_fingerprint, contents)
    fail_points.reach("rollback.before_outcome")
    commit = ledger.code_commit(state)
    ledger.recorder.end(
        state.system, operation, lambda state: outcome(ledger, state, intent, commit), origin
    )
    fail_points.reach("rollback.after_outcome")
    return ApplyResult(
        state.system,
        intent.to_fingerprint,
        "rolled_back",
        previous=intent.from_fingerprint,
        files=tuple(written),
        operation=str(operation),
        code=intent.code.to_commit if intent.code is not None else None,
        restarted=any(step.once for step in steps),
    )


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    path: str
    do: Callable[[], StepOutcome]
    fail_point: str
    once: bool = False
    """Whether it is not to be repeated."""


def _steps(
    ledger: Ledger,
    world: World,
    state: SystemState,
    intent: RollbackIntent,
    contents: Mapping[str, bytes],
) -> list[_Step]:
    """Return what a rollback consists of, in order: the code, the files, the restart."""
    # Where files are written now: the system may have been registered with another path since the intent.
    require_files(state)
    places = world.config_files
    steps = [
        _Step(name, str(places[name]), partial(_write, world, name, content), "rollback.after_file")
        for name, content in contents.items()
    ]
    if intent.code is None:
        return steps
    code, place = intent.code, intent.code.place
    written = [file.name for file in intent.files]

    def check_out() -> StepOutcome:
        return "checked_out" if checkout.check_out(world, state, code, written) else "already"

    def restart() -> StepOutcome:
        checkout.restart(ledger, state.system, place)
        return "restarted"

    steps.insert(0, _Step("code", place.repository, check_out, "code.after_checkout"))
    if place.restart:
        command = " ".join(place.restart)
        steps.append(_Step("restart", command, restart, "code.after_restart", once=True))
    return steps


def _write(world: World, name: str, content: bytes) -> StepOutcome:
    replaced = world.configs.write({name: content}).replaced if world.configs is not None else ()
    return "written" if replaced else "already"


def step_done(
    ledger: Ledger, system: str, operation: UUID, number: int, step: _Step, origin: Origin
) -> events.RollbackStepCompleted:
    """Do one step; if that fails, say so in the log and leave the rollback open.

    Raises:
        LedgerError: it could not be done; `rollout rollback resume` goes on from here.
    """
    try:
        done = step.do()
    except LedgerError as problem:
        failed = events.RollbackFailed(step=number, explanation=problem.message)
        try:
            ledger.recorder.end(system, operation, lambda _: [failed], origin)
        except LedgerUnreachable:
            ledger.warn("and the failure could not be recorded: the ledger is away")
        problem.hint = f"{problem.hint or 'Mend that'}; then: rollout rollback resume {system}"
        raise problem from None
    fail_points.reach(step.fail_point)
    return events.RollbackStepCompleted(step=number, name=step.name, path=step.path, outcome=done)


def outcome(
    ledger: Ledger, state: SystemState, intent: RollbackIntent, commit: str | None = None
) -> tuple[Event, ...]:
    """Return what a finished rollback means: in force, completed, and the harm stopped.

    ``commit`` is where the code stands, if there is a checkout.
    """
    now_applied = applied(ledger, state, intent.to_fingerprint, intent.snapshot, "rollback", commit)
    return rollbacks.completed(state, intent, now_applied, ledger.recorder.clock.now())


def abandon(ledger: Ledger, system: str, origin: Origin) -> str | None:
    """Give up a rollback that was begun. Returns its operation, or None if there is none.

    Raises:
        OperationInProgress: somebody is carrying it out at this moment.
    """
    with ledger.operating(system, "rollback abandon"):
        begun = rollbacks.unfinished(ledger.load(system))
        if begun is None:
            return None
        given_up = events.RollbackAbandoned(explanation=origin.reason or "given up by hand")
        ledger.recorder.end(system, UUID(begun[0]), lambda _: [given_up], origin)
        return begun[0]


def finish(
    ledger: Ledger, world: World, state: SystemState, operation: UUID, origin: Origin
) -> tuple[bool, str]:
    """Complete a rollback, unless somebody has decided otherwise since: something was wrong."""
    begun = operation_of(state, operation, RollbackOperation)
    intent = begun.intent
    if begun.overtaken:
        why = "begun, and somebody has decided otherwise since"
        given_up = events.RollbackAbandoned(explanation=why)
        ledger.recorder.end(state.system, operation, lambda _: [given_up], origin)
        return False, f"to {short(intent.to_fingerprint)} was {why}"
    contents = restored(ledger, state, intent.to_fingerprint, intent.snapshot, world)
    complete(ledger, world, state, operation, contents, origin)
    return True, f"back on {short(intent.to_fingerprint)}"
