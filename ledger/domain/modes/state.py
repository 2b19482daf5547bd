"""What the state of a system holds of switches of mode. Pure data."""

from __future__ import annotations

from ledger.domain.state_part import StatePart, written
from ledger.domain.values.modes import Mode, PauseKind


class SwitchIntent(StatePart, frozen=True, kw_only=True):
    """The intent of a switch: the data of ModeSwitchRequested."""

    actuators: tuple[str, ...] = written(())
    break_glass: str | None = None
    from_kind: PauseKind | None = None
    from_mode: Mode | None = None
    to_kind: PauseKind | None = None
    to_mode: Mode


class Unconfirmed(StatePart, frozen=True, kw_only=True):
    """The last switch, where the world was not seen to be in its mode."""

    to: str
    """The mode, as people read it."""
    detail: str
    at: str
    actor: str
    position: int
