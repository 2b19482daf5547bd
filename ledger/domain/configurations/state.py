"""What the state of a system holds of its configurations. Pure data."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.domain.state_part import StatePart, written
from ledger.domain.systems.state import ConfigFile


class PhaseMove(StatePart, frozen=True, kw_only=True):
    """The phase that is entered once its configuration is in place."""

    break_glass: str | None = None
    gate_position: int | None = None
    left_forward: str | None = None
    """The phase that is left forward for it."""
    limits: Mapping[str, str] = written({})
    phase: str
    scope: Mapping[str, tuple[str, ...]] = written({})


class ApplyIntent(StatePart, frozen=True, kw_only=True):
    """What an apply was begun with: the data of ConfigApplyRequested."""

    files: tuple[ConfigFile, ...]
    fingerprint: str
    phase: PhaseMove | None = None
    previous: str | None = None
    snapshot: str
