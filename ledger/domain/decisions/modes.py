"""Switching modes."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.domain import events
from ledger.domain.decisions import Decision, insist_on_registered
from ledger.domain.errors import TransitionRefused
from ledger.domain.modes import Mode, PauseKind, Transition, full_kind, transition
from ledger.domain.state import SystemState


def current(state: SystemState) -> tuple[Mode | None, PauseKind | None]:
    """Return the mode that the ledger last saw confirmed."""
    mode = Mode(state.mode) if state.mode else None
    return mode, PauseKind(state.pause_kind) if state.pause_kind else None


def shown(mode: Mode, kind: PauseKind | None) -> str:
    """Return a mode as people read it: "paused/halt"."""
    return f"{mode}/{kind}" if kind else str(mode)


def request(
    state: SystemState, target: Mode, kind: PauseKind | None, *, actuators: Sequence[str]
) -> Decision:
    """Decide on a switch: the intent, a no-op, or a refusal for the record.

    A refusal is an event too (`ModeSwitchRejected`); the caller appends it and then raises `refusal`.
    """
    insist_on_registered(state)
    kind = full_kind(target, kind)
    mode, mode_kind = current(state)
    verdict = transition(mode, target, current_kind=mode_kind, target_kind=kind)
    in_flight = [o for o in state.operations.values() if o["kind"] == "switch"]
    if verdict is Transition.NO_OP and "mode" not in state.drift and not in_flight:
        return Decision(skipped=f"already {shown(target, kind)}, since {state.mode_since}")
    from_mode = mode or Mode.MOCK
    if verdict is Transition.REFUSED:
        rejected = events.ModeSwitchRejected(
            from_mode=from_mode.value,
            to_mode=target.value,
            explanation=refusal(state, target).message,
        )
        return Decision((rejected,))
    intent = events.ModeSwitchRequested(
        from_mode=from_mode.value,
        from_kind=mode_kind.value if mode_kind else None,
        to_mode=target.value,
        to_kind=kind.value if kind else None,
        actuators=tuple(actuators),
    )
    return Decision((intent,))


def refusal(state: SystemState, target: Mode) -> TransitionRefused:
    """Return the error that tells a person why the switch is refused, and the way round."""
    before = state.mode or "never switched"
    return TransitionRefused(
        f"{state.system} is {before}: it can't be switched straight to {target}.",
        hint=f"rollout switch {state.system} --to mock --reason …, watch it, then switch to real",
    )
