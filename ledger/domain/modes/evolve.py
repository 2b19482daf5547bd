"""What switches of mode mean for the state of a system. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from ledger.domain.folding import (
    begun,
    decided,
    ended,
    mark_overtaken,
    on,
    superseded,
    who_asked,
    without,
)
from ledger.domain.log.envelope import Recorded
from ledger.domain.modes.state import SwitchIntent, Unconfirmed
from ledger.domain.operations import SwitchOperation
from ledger.domain.state import Json, SystemState
from ledger.domain.values.modes import Mode, PauseKind
from ledger.domain.values.moments import iso


@on("ModeSwitchRequested")
def _mode_requested(state: SystemState, event: Recorded, data: Json) -> SystemState:
    switch = SwitchOperation(
        **decided(event),
        intent=SwitchIntent.of(data),
        overtaken=superseded(event, state.mode_since),
    )
    return begun(state, event, switch)


@on("ModeSwitched")
def _mode_switched(state: SystemState, event: Recorded, data: Json) -> SystemState:
    kind = data.get("to_kind")
    mode, pause_kind = Mode(data["to_mode"]), None if kind is None else PauseKind(kind)
    asked = who_asked(state, event)
    state = ended(state, event)
    if superseded(event, state.mode_since):
        return state
    return replace(
        state,
        mode=mode.value,
        pause_kind=pause_kind.value if pause_kind is not None else None,
        mode_since=iso(event.occurred_at),
        # Who decided it, not who came by later and finished it after a crash.
        mode_by=asked.actor,
        mode_reason=asked.reason,
        mode_position=event.position,
        unconfirmed=None,
        operations=mark_overtaken(state, event, asked, "switch"),
        drift=without(state.drift, "mode"),
    )


@on("ModeReasonGiven")
def _mode_reason_given(state: SystemState, event: Recorded, data: Json) -> SystemState:
    in_it = (state.mode, state.pause_kind) == (data["mode"], data.get("kind"))
    return replace(state, mode_reason=event.reason) if in_it else state


@on("ModeSwitchAbandoned")
def _mode_not_switched(state: SystemState, event: Recorded, _data: Json) -> SystemState:
    return ended(state, event)


@on("ModeSwitchUnconfirmed")
def _mode_unconfirmed(state: SystemState, event: Recorded, data: Json) -> SystemState:
    asked = who_asked(state, event)
    state = ended(state, event)
    if superseded(event, state.mode_since):
        return state
    kind = data.get("to_kind")
    unconfirmed = Unconfirmed(
        to=f"{data['to_mode']}/{kind}" if kind else data["to_mode"],
        detail=data["explanation"],
        at=iso(event.occurred_at),
        actor=asked.actor,
        position=event.position,
    )
    return replace(state, unconfirmed=unconfirmed)


@on("StateRecovered")
def _recovered(state: SystemState, _event: Recorded, _data: Json) -> SystemState:
    # Whoever recovered has looked at the world: what differs there is drift from now on.
    return replace(state, unconfirmed=None)
