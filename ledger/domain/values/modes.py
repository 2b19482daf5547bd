"""Execution modes: how exposed each one is, and which switches the rules allow.

    (nothing) ──> mock <──> real        started in mock, never in real
        │          │ ^        │
        └──> paused ─┘ <──────┘         anything may pause; out of a pause only by way of mock

``paused`` has a kind. Every function takes ``None`` for it and then means `PauseKind.HALT`: that is
what a bot does that knows of no kinds, it rejects all orders.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from ledger.domain.errors import BadInput


class Mode(StrEnum):
    """How orders are executed. A dry run is ``mock``."""

    MOCK = "mock"
    REAL = "real"
    PAUSED = "paused"


class PauseKind(StrEnum):
    """What a paused system still does."""

    HALT = "halt"
    """Rejects all orders."""
    REDUCE_ONLY = "reduce_only"
    """Takes no new exposure, and may still close what is open."""
    DRAIN = "drain"
    """Cancels what is open, then halts."""


class Transition(StrEnum):
    """What the rules say to a switch."""

    ALLOWED = "allowed"
    NO_OP = "no_op"
    REFUSED = "refused"


# Paused is below mock even where it may still close a position (`reduce_only`): between two sources
# that disagree, the one that takes no new risk is the safe one to believe.
_EXPOSURE: Final[dict[tuple[Mode, PauseKind | None], int]] = {
    (Mode.PAUSED, PauseKind.DRAIN): 0,
    (Mode.PAUSED, PauseKind.HALT): 1,
    (Mode.PAUSED, PauseKind.REDUCE_ONLY): 2,
    (Mode.MOCK, None): 3,
    (Mode.REAL, None): 4,
}

# `None` is a system that has never been switched.
_REACHABLE: Final[dict[Mode | None, frozenset[Mode]]] = {
    None: frozenset({Mode.MOCK, Mode.PAUSED}),
    Mode.PAUSED: frozenset({Mode.MOCK, Mode.PAUSED}),
    Mode.MOCK: frozenset({Mode.REAL, Mode.PAUSED}),
    Mode.REAL: frozenset({Mode.MOCK, Mode.PAUSED}),
}


def full_kind(mode: Mode, pause_kind: PauseKind | None = None) -> PauseKind | None:
    """Return the kind of a pause, HALT where it names none; ``None`` for any other mode.

    Raises:
        BadInput: a kind was given for a mode other than paused.
    """
    if mode is Mode.PAUSED:
        return pause_kind or PauseKind.HALT
    if pause_kind is not None:
        raise BadInput(
            f"the pause kind {pause_kind} was given for the mode {mode}, which is no pause",
            hint="leave the kind out, or switch to paused",
        )
    return None


def exposure(mode: Mode, pause_kind: PauseKind | None = None) -> int:
    """Return the rank of a mode by risk: drain 0, halt 1, reduce_only 2, mock 3, real 4."""
    return _EXPOSURE[mode, full_kind(mode, pause_kind)]


def raises_exposure(
    current: Mode | None,
    target: Mode,
    *,
    current_kind: PauseKind | None = None,
    target_kind: PauseKind | None = None,
) -> bool:
    """Tell whether a switch adds risk. From an unknown present, everything but a pause does."""
    if current is None:
        return target is not Mode.PAUSED
    return exposure(target, target_kind) > exposure(current, current_kind)


def transition(
    current: Mode | None,
    target: Mode,
    *,
    current_kind: PauseKind | None = None,
    target_kind: PauseKind | None = None,
) -> Transition:
    """Judge a switch. ``current`` is ``None`` for a system that has never been switched.

    The same mode (and the same kind of pause) is a no-op; another kind of pause is always allowed.
    """
    wanted_kind = full_kind(target, target_kind)
    if current is target and full_kind(target, current_kind) is wanted_kind:
        return Transition.NO_OP
    return Transition.ALLOWED if target in _REACHABLE[current] else Transition.REFUSED
