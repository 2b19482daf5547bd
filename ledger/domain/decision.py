"""decide(state, command) -> events, or "skipped (already ...)". Pure: no clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.domain.errors import ReasonRequired, Refused, UnknownSystem
from ledger.domain.log.event import Event
from ledger.domain.log.ids import Actor, ActorKind
from ledger.domain.state import SystemState


@dataclass(frozen=True, slots=True)
class Decision:
    """What to append, all of it or nothing. ``skipped`` says why there is nothing to do (I16)."""

    events: tuple[Event, ...] = ()
    skipped: str | None = None


def require_registered(state: SystemState) -> None:
    """Raise unless the system is one the ledger knows.

    Raises:
        UnknownSystem: it was never registered.
    """
    if state.registration is None:
        raise UnknownSystem(state.system)


def require_reason(reason: str | None, what: str) -> None:
    """Raise unless somebody says why.

    Raises:
        ReasonRequired: there is no reason, or it is blank; ``what`` says what needs one.
    """
    if not reason or not reason.strip():
        raise ReasonRequired(what, hint="Say why: --reason TEXT")


def require_no_rule(actor: Actor, what: str) -> None:
    """Raise if a rule does what raises exposure (I9).

    Raises:
        Refused: a rule may pause, mitigate or roll back, and nothing else.
    """
    if actor.kind is ActorKind.RULE:
        raise Refused(
            f"The rule {actor.name} asks for {what}: a rule never raises exposure.",
            hint="A person has to do that.",
        )
