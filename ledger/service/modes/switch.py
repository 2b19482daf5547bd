"""Switching modes: intent, act, confirm, outcome. A pause never waits, nor fails for want of a ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias
from uuid import UUID

from ledger import fail_points
from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.errors import LedgerError, LedgerUnreachable
from ledger.domain.log.ids import Actor
from ledger.domain.modes import decide as modes
from ledger.domain.modes.decide import Outcome
from ledger.domain.modes.state import SwitchIntent
from ledger.domain.operations import SwitchOperation
from ledger.domain.state import SystemState, operation_of
from ledger.domain.systems.state import Actuators
from ledger.domain.values.actuation import Carried, NotCarried, Observed
from ledger.domain.values.modes import Mode, PauseKind
from ledger.service.core.actuators import World, told, world_of
from ledger.service.core.operation import Operation, carry_out as carry_out_operation
from ledger.service.core.recorder import Origin
from ledger.service.core.session import Ledger


@dataclass(frozen=True, slots=True)
class SwitchResult:
    """What became of a switch, for the person who asked."""

    system: str
    mode: str
    pause_kind: str | None
    outcome: str
    """switched | unconfirmed | not_carried | skipped | abandoned"""
    explanation: str = ""
    carried_by: str = "nothing"
    has_way: bool = True
    """Whether a way to the system is registered. False: this is recorded only."""
    took_ms: int = 0
    operation: str | None = None
    spooled: bool | None = False
    """Whether it waits in the spool here; None: the ledger is away, and the spool can't be written."""
    warnings: tuple[str, ...] = field(default=())


def survey(
    ledger: Ledger, system: str, target: Mode, kind: PauseKind | None
) -> tuple[SystemState, World, Observed | None]:
    """Return what a switch is decided on: what the ledger says, and what the world says.

    A pause has no time to ask the world first, unless the ledger says that there is nothing to do.
    """
    state = ledger.load(system)
    world = world_of(state.actuators, ledger.recorder.clock)
    return state, world, _observed(state, world, target, kind)


def _observed(
    state: SystemState, world: World, target: Mode, kind: PauseKind | None
) -> Observed | None:
    if world.modes is None:
        return None
    if target is Mode.PAUSED and not modes.is_settled(state, target, kind, None):
        return None
    return world.modes.observe()


@dataclass(frozen=True, slots=True)
class Switch(Operation["_View", World, SwitchResult]):
    """A switch of mode."""

    fail_point: ClassVar[str] = "switch"
    target: Mode
    kind: PauseKind | None
    said_yes: Actor | None = None
    """Who said yes to more exposure, if anybody did."""
    by_hand: events.Actuators | None = None
    """Other actuators than the registered ones."""

    @property
    def what(self) -> str:
        """The mode that is asked for."""
        return f"switch to {self.target}"

    def observe(self, ledger: Ledger, state: SystemState, origin: Origin) -> _View:
        """Ask the world for its mode; a pause asks only where there seems to be nothing to do."""
        actuators = (
            state.actuators if self.by_hand is None else Actuators.of(self.by_hand.payload())
        )
        world = world_of(actuators, ledger.recorder.clock)
        return world, _observed(state, world, self.target, self.kind)

    def decide(self, ledger: Ledger, state: SystemState, view: _View) -> Decision:
        """Return the request, or its refusal."""
        world, observed = view
        return modes.request(
            state,
            self.target,
            self.kind,
            actuators=world.mode_actuators,
            observed=observed,
            said_yes=self.said_yes,
            now=ledger.recorder.clock.now(),
        )

    def may_raise(self, state: SystemState, view: _View) -> bool:
        """As the modes have it."""
        return modes.raises(state, self.target, self.kind, view[1])

    def secure(
        self, ledger: Ledger, state: SystemState, view: _View, intent: Decision, origin: Origin
    ) -> World:
        """Return what carries the mode: nothing that could fail without harm comes before."""
        return view[0]

    def refuse(self, state: SystemState, decision: Decision) -> None:
        """Raise where the rules say no: the refusal is recorded."""
        if isinstance(decision.events[0], events.ModeSwitchRejected):
            raise modes.refusal(state, self.target)

    def perform(
        self, ledger: Ledger, state: SystemState, operation: UUID, work: World, origin: Origin
    ) -> SwitchResult:
        """Carry the mode into the world."""
        return carry_out(ledger, work, state, operation, origin)

    def skipped(self, state: SystemState, view: _View, why: str) -> SwitchResult:
        """Return why there is nothing to do."""
        world, _ = view
        return SwitchResult(
            state.system, self.target, self.kind, "skipped", why, has_way=world.modes is not None
        )


_View: TypeAlias = tuple[World, "Observed | None"]
"""What carries the mode, and what mode the world is in, as far as it was asked."""


def switch(
    ledger: Ledger,
    system: str,
    target: Mode,
    kind: PauseKind | None,
    origin: Origin,
    *,
    said_yes: Actor | None,
) -> SwitchResult:
    """Switch ``system`` to ``target``, and record what was asked, tried and confirmed.

    Raises:
        TransitionRefused: the rules say no; the refusal is recorded.
        StaleRevision: it raises exposure by now, and nobody has said yes to that.
        OperationInProgress: somebody else is at work on the system.
        UnknownName: there is no such system.
    """
    return carry_out_operation(ledger, system, Switch(target, kind, said_yes), origin)


def carry_out(
    ledger: Ledger, world: World, state: SystemState, operation: UUID, origin: Origin
) -> SwitchResult:
    """Act on the intent ``operation`` and append its outcome. Safe to repeat."""
    clock = ledger.recorder.clock
    intent = operation_of(state, operation, SwitchOperation).intent
    target, kind = intent.to_mode, intent.to_kind
    started = clock.monotonic()
    outcome, carried = act(ledger, world, intent, origin, operation)
    took_ms = int((clock.monotonic() - started) * 1000)
    fail_points.reach("switch.after_act")
    switched = isinstance(outcome, events.ModeSwitched)
    outcome = outcome.model_copy(update={"took_ms" if switched else "waited_ms": took_ms})
    after, given_up = record(ledger, state.system, operation, outcome, origin)
    fail_points.reach("switch.after_outcome")
    if given_up is not None:
        _yield_to_safer(ledger, world, after, target, kind)
        return SwitchResult(
            state.system, target, kind, "abandoned", given_up, operation=str(operation)
        )
    return SwitchResult(
        system=state.system,
        mode=target,
        pause_kind=kind,
        outcome=told_as(outcome),
        explanation=getattr(outcome, "explanation", ""),
        carried_by=carried.carried_by if carried else "nothing",
        has_way=world.modes is not None,
        took_ms=took_ms,
        operation=str(operation),
        warnings=carried.warnings if carried else (),
    )


def told_as(outcome: Outcome) -> str:
    """Return what a person is told: switched, unconfirmed, or not_carried where nothing can have acted."""
    if isinstance(outcome, events.ModeSwitched):
        return "switched"
    surely_not = all(attempt.outcome in {"failed", "refused"} for attempt in outcome.attempts)
    return "not_carried" if surely_not else "unconfirmed"


def record(
    ledger: Ledger, system: str, operation: UUID, outcome: Outcome, origin: Origin
) -> tuple[SystemState, str | None]:
    """Append the outcome of a switch; return the state after it, and why it was given up if it was.

    Raises:
        LedgerUnreachable: the world was acted upon all the same, and the hint says so.
    """
    try:
        # None of its own: a recovery elsewhere took us for dead (a lost connection loses its lock).
        after, decision = ledger.recorder.end(
            system, operation, lambda state: modes.outcome(state, operation, outcome), origin
        )
    except LedgerUnreachable as problem:
        problem.hint = (
            f"{outcome.to_mode} was carried out ({outcome.type}); only the record of it is missing: "
            f"rollout recover {system}"
        )
        raise
    if not decision.events:
        target, kind = outcome.to_mode, outcome.to_kind
        agreed = (after.mode, after.pause_kind) == (target, kind)
        return after, None if agreed else decision.skipped
    first = decision.events[0]
    return after, first.explanation if isinstance(first, events.ModeSwitchAbandoned) else None


def act(
    ledger: Ledger, world: World, intent: SwitchIntent, origin: Origin, operation: UUID
) -> tuple[Outcome, Carried | None]:
    """Carry a mode into the world; return the event that says what came of it."""
    target, kind = intent.to_mode, intent.to_kind
    if world.modes is None:
        return arrived(intent, "nothing"), None
    reason = _reason_to_tell(ledger, target, origin)
    try:
        carried = world.modes.switch(
            mode=target,
            pause_kind=kind,
            message=f"{origin.actor.name}: {reason}" if reason else origin.actor.name,
            operation_id=str(operation),
        )
    except NotCarried as refusal:
        return _unconfirmed(target, kind, refusal.message, told(refusal.attempts)), None
    if not carried.confirmed:
        problem = (
            f"{carried.carried_by} took it, but the system was not seen to be {target} in time"
        )
        return _unconfirmed(target, kind, problem, told(carried.attempts)), carried
    done = arrived(intent, carried.carried_by)
    return done.model_copy(update={"attempts": told(carried.attempts)}), carried


def _reason_to_tell(ledger: Ledger, target: Mode, origin: Origin) -> str:
    """Return the reason without secrets, since anybody may read where it goes (I6).

    A pause whose reason can't be searched for secrets goes ahead without telling the system why.
    """
    if not origin.reason:
        return ""
    try:
        return ledger.recorder.clean(origin.reason, prose=True)
    except Exception as problem:
        if target is not Mode.PAUSED:
            raise
        ledger.warn(f"the system is not told why: the reason can't be cleaned ({problem})")
        return ""


def arrived(intent: SwitchIntent, carried_by: str) -> events.ModeSwitched:
    """Return the event that says that the world is in the mode that ``intent`` asks for."""
    return events.ModeSwitched(
        from_mode=intent.from_mode.value if intent.from_mode else None,
        from_kind=intent.from_kind.value if intent.from_kind else None,
        to_mode=intent.to_mode.value,
        to_kind=intent.to_kind.value if intent.to_kind else None,
        carried_by=carried_by,
    )


def _unconfirmed(
    target: Mode, kind: PauseKind | None, explanation: str, attempts: tuple[events.Attempt, ...]
) -> events.ModeSwitchUnconfirmed:
    return events.ModeSwitchUnconfirmed(
        to_mode=target.value,
        to_kind=kind.value if kind else None,
        attempts=attempts,
        explanation=explanation,
        waited_ms=0,
    )


def _yield_to_safer(
    ledger: Ledger, world: World, state: SystemState, target: Mode, kind: PauseKind | None
) -> None:
    """Our write may have come after theirs: put the safer mode back into the world."""
    safer = modes.safer_since(state, 0, target, kind)
    if safer is None or world.modes is None:
        return
    try:
        world.modes.switch(
            mode=safer[0],
            pause_kind=safer[1],
            message="the safer switch has the last word",
            operation_id="",
        )
    except LedgerError as problem:
        ledger.warn(f"{safer[0]} could not be put back: {problem.message}; run: rollout recover")


def finish(
    ledger: Ledger, world: World, state: SystemState, operation: UUID, origin: Origin
) -> tuple[bool, str]:
    """Record a switch that the world has done; do one that lowers exposure; give a raise up."""
    intent = operation_of(state, operation, SwitchOperation).intent
    target = intent.to_mode
    observed = world.modes.observe() if world.modes is not None else None
    remainder = modes.remainder(state, operation, observed)
    if remainder.step == "carry out":
        result = carry_out(ledger, world, state, operation, origin)
        return result.outcome == "switched", f"{target} {result.outcome}"
    if remainder.step == "record":
        reading = observed.safe if observed is not None else None
        outcome = arrived(intent, reading.actuator if reading is not None else "nothing")
        _, given_up = record(ledger, state.system, operation, outcome, origin)
        return given_up is None, f"{target} {given_up or 'had been carried out'}"
    abandoned = modes.abandoned(intent, remainder.why)
    ledger.recorder.end(state.system, operation, lambda _: [abandoned], origin)
    return False, f"{target} was {remainder.why}"
