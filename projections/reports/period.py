"""The time that a report is about: a day in a time zone, from midnight to midnight."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from ledger.domain.errors import BadInput
from projections.core.period import Period

EARLIEST: Final = 1990
"""The year before which no bot wrote anything down."""
_WRITTEN: Final = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)")


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a calendar. Where clocks are set on or back, it has 23 or 25 hours."""

    date: date
    zone: tzinfo
    zone_name: str

    @property
    def period(self) -> Period:
        """The time from its midnight to the next one."""
        return Period(self._midnight(self.date), self._midnight(self.date + timedelta(days=1)))

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone).astimezone(UTC)

    def is_over(self, now: datetime) -> bool:
        """Return whether nothing can happen in it any more."""
        return now >= self.period.until


def day_of(text: str | None, zone: tzinfo, zone_name: str, now: datetime) -> Day:
    """Return the day that ``text`` names, YYYYMMDD or YYYY-MM-DD; without one, the last that is over.

    Raises:
        BadInput: it names no day, or one that has not begun.
    """
    today = now.astimezone(zone).date()
    if text is None:
        return Day(today - timedelta(days=1), zone, zone_name)
    written = _WRITTEN.fullmatch(text.strip())
    try:
        day = date(*map(int, written.groups())) if written is not None else None
    except ValueError:
        day = None
    if day is None or day.year < EARLIEST:
        raise BadInput(f"{text!r} is no day.", hint="Give --date 20260201 or 2026-02-01.")
    if day > today:
        raise BadInput(
            f"{day} has not begun in {zone_name}.", hint=f"Today is {today:%Y%m%d} there."
        )
    return Day(day, zone, zone_name)
