"""What the state of a system holds of its runs, and of the watch over it. Pure data."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from ledger.domain.state_part import StatePart
from ledger.domain.values.choices import OneOf

RunStatus = OneOf["running", "stopped", "crashed"]


class SupervisedRun(StatePart, frozen=True, kw_only=True):
    """The last supervised run; how it ended is not set while it runs."""

    run: str
    """The run tag."""
    pid: int
    host: str
    command: tuple[str, ...]
    since: str
    position: int
    operation: str | None = None
    """None: as the first release recorded it."""
    status: RunStatus
    ended: str | None = None
    exit_code: int | UnsetType | None = UNSET
    signal: str | UnsetType | None = UNSET


class Watcher(StatePart, frozen=True, kw_only=True):
    """The watch over a system: who watches, and since when."""

    host: str
    pid: int
    since: str
