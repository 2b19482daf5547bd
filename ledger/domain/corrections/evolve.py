"""What events that can't be read, and answers to them, mean for the state of a system. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from ledger.domain.corrections.state import UnreadEvent
from ledger.domain.folding import on, with_, without
from ledger.domain.log.envelope import Recorded
from ledger.domain.log.unreadable import STAND_IN
from ledger.domain.state import Json, SystemState


def set_aside(state: SystemState, event: Recorded, explanation: str) -> SystemState:
    """Return ``state`` with a note that ``event`` can't be read."""
    kind = event.data["type"] if event.type == STAND_IN else event.type
    unread = UnreadEvent(type=kind, explanation=explanation)
    return replace(state, unread=with_(state.unread, str(event.position), unread))


@on(STAND_IN)
def _unreadable(state: SystemState, event: Recorded, data: Json) -> SystemState:
    return set_aside(state, event, data["explanation"])


@on("EventCorrected")
def _corrected(state: SystemState, _event: Recorded, data: Json) -> SystemState:
    return replace(state, unread=without(state.unread, str(data["position"])))
