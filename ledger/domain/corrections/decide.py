"""Events that can't be read: what they keep from being done, and how a person answers them."""

from __future__ import annotations

from ledger.domain import events
from ledger.domain.decision import Decision
from ledger.domain.errors import Refused, UnknownName, UnreadEvents
from ledger.domain.log.ids import Actor, ActorKind
from ledger.domain.state import SystemState


def require_read(state: SystemState) -> None:
    """Raise where the log says something of the system that nobody has understood.

    Raises:
        UnreadEvents: exposure is not raised on part of the log.
    """
    for position, event in state.unread.items():
        raise UnreadEvents(
            f"Position {position} of {state.system} ({event.type}) can't be read: {event.explanation}.",
            hint=f"Look at it (rollout show {position}), then say what is right: "
            f'rollout correct {state.system} {position} "…". What lowers exposure goes on.',
        )


def correct(state: SystemState, position: int, correction: str, *, actor: Actor) -> Decision:
    """Answer an event that can't be read.

    Raises:
        UnknownName: the event can be read, or is none of the system's.
        Refused: no person answers it, or nothing is said.
    """
    if str(position) not in state.unread:
        raise UnknownName(
            f"{state.system} has no unread event at position {position}.",
            hint="It has: " + (", ".join(f"#{place}" for place in state.unread) or "none"),
        )
    if actor.kind is not ActorKind.HUMAN or not correction.strip():
        raise Refused(
            "What can't be read is answered by a person, who says what is right.",
            hint=f'rollout correct {state.system} {position} "…"',
        )
    return Decision((events.EventCorrected(position=position, correction=correction),))
