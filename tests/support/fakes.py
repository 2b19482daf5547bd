"""Stand-ins for what a test must be able to steer: the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2025, 11, 20, 3, 0, tzinfo=UTC)


class FrozenClock:
    """A `Clock` that moves only when it is told to, or slept on."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._elapsed_seconds = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._elapsed_seconds

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass: both the moment and the seconds that only grow."""
        if seconds < 0:
            raise ValueError(f"time does not run backwards ({seconds=})")
        self._now += timedelta(seconds=seconds)
        self._elapsed_seconds += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back, as a time server does; the monotonic one stays."""
        self._now += timedelta(seconds=seconds)
