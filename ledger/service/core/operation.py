"""The one way of whatever is begun, performed and ended: locks, intent, act, outcome.

A kind of operation says what it looks at, what it decides, what it makes sure of, and how it acts; the order
of these is here, and so is the rule that nothing is touched before the intent is in the log (I5). What a
crash leaves between two of them is finished by the kind's `Finish`, which `ledger.service.recovery` calls
(I12). It is given the state with the intent in it and the actuators, and nothing of the process that began:
so whoever reaches the actuators could perform what was decided elsewhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar
from uuid import UUID

from ledger import fail_points
from ledger.domain.corrections import decide as corrections
from ledger.domain.decision import Decision
from ledger.domain.log.ids import uuid7
from ledger.domain.state import SystemState
from ledger.service.core.actuators import World
from ledger.service.core.recorder import Origin, within
from ledger.service.core.session import Ledger

View = TypeVar("View")
"""What a decision is made on beside the state: the world, as it was found."""
Work = TypeVar("Work")
"""What acting needs, all of it at hand before the intent."""
Result = TypeVar("Result")

Finish: TypeAlias = Callable[[Ledger, World, SystemState, UUID, Origin], tuple[bool, str]]
"""Finishes an operation that a dead process began; returns whether it was completed, and a sentence."""


class Operation(ABC, Generic[View, Work, Result]):
    """One kind of operation, with what this one is about."""

    fail_point: ClassVar[str]
    """What the names of its fail points begin with."""
    lowers: ClassVar[bool] = False
    """Whether it only ever lowers exposure: then it goes ahead where others would stop."""

    @property
    @abstractmethod
    def what(self) -> str:
        """What others are told that they wait for: "switch to real"."""

    @abstractmethod
    def observe(self, ledger: Ledger, state: SystemState, origin: Origin) -> View:
        """Look at the world; touch nothing."""

    @abstractmethod
    def decide(self, ledger: Ledger, state: SystemState, view: View) -> Decision:
        """Return the intent, or why there is nothing to do. Called again where somebody was faster."""

    @abstractmethod
    def may_raise(self, state: SystemState, view: View) -> bool:
        """Tell whether exposure may rise by it: what is not known to lower it may."""

    @abstractmethod
    def secure(
        self, ledger: Ledger, state: SystemState, view: View, intent: Decision, origin: Origin
    ) -> Work:
        """Do whatever may fail without harm, and return what acting needs. The intent follows."""

    @abstractmethod
    def perform(
        self, ledger: Ledger, state: SystemState, operation: UUID, work: Work, origin: Origin
    ) -> Result:
        """Act, and append the outcome."""

    def skipped(self, state: SystemState, view: View, why: str) -> Result:
        """Return what there is to tell where nothing had to be done (I16). Of some kinds there always is."""
        raise AssertionError(why)

    def refuse(self, state: SystemState, decision: Decision) -> None:
        """Raise where what was recorded is a refusal."""


def carry_out(
    ledger: Ledger, system: str, operation: Operation[View, Work, Result], origin: Origin
) -> Result:
    """Do ``operation`` as the only one at work on ``system``, once what a crash left is finished.

    Raises:
        OperationInProgress: somebody else is at work on the system.
        StaleRevision: others were faster, again and again.
        LedgerError: as the operation says.
    """
    with ledger.operating(system, operation.what, lowers=operation.lowers):
        ledger.finish_dead_operations(system, origin)
        return begin(ledger, system, operation, origin)


def begin(
    ledger: Ledger, system: str, operation: Operation[View, Work, Result], origin: Origin
) -> Result:
    """Observe, decide, secure, append the intent, perform. The caller holds the locks, or is a pause."""
    state = ledger.load(system)
    view = operation.observe(ledger, state, origin)

    preview = _decided(ledger, state, view, operation)
    if preview.skipped is not None:
        return operation.skipped(state, view, preview.skipped)
    id_ = uuid7()
    origin = within(origin, id_)
    work = operation.secure(ledger, state, view, preview, origin)
    state, decision = ledger.recorder.decide(
        system, lambda state: _decided(ledger, state, view, operation), origin
    )
    if decision.skipped is not None:
        return operation.skipped(state, view, decision.skipped)
    operation.refuse(state, decision)
    fail_points.reach(f"{operation.fail_point}.after_intent")
    return operation.perform(ledger, state, id_, work, origin)


def look_ahead(
    ledger: Ledger, system: str, operation: Operation[View, Any, Any], origin: Origin
) -> tuple[SystemState, View, Decision]:
    """Return what an operation would be decided on now, and what would be decided; touches nothing."""
    state = ledger.load(system)
    view = operation.observe(ledger, state, origin)
    return state, view, _decided(ledger, state, view, operation)


def _decided(
    ledger: Ledger, state: SystemState, view: View, operation: Operation[View, Any, Any]
) -> Decision:
    """Return what is decided; exposure is not raised on a log that nobody has understood all of (I33)."""
    decision = operation.decide(ledger, state, view)
    if decision.events and operation.may_raise(state, view):
        corrections.require_read(state)
    return decision
