"""What the state of a system holds of events that can't be read. Pure data."""

from __future__ import annotations

from ledger.domain.state_part import StatePart


class UnreadEvent(StatePart, frozen=True, kw_only=True):
    """An event of the system that this program can't read, and that nobody has answered."""

    type: str
    explanation: str
