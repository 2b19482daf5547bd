"""The clock as a port. Decisions are given times; services are given one of these."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits. `ledger.clock.SystemClock` is the real one."""

    def now(self) -> datetime:
        """Return the moment, aware, in UTC. It may jump; never measure with it."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only ever grow, for deadlines and durations."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait ``seconds`` (0 or more)."""
        ...
