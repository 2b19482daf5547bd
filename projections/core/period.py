"""A span of time: what reports and statistics are about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Period:
    """From ``since`` up to, and without, ``until``; both in UTC."""

    since: datetime
    until: datetime

    def holds(self, moment: datetime) -> bool:
        """Return whether ``moment`` lies in it."""
        return self.since <= moment < self.until
