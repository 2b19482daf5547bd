"""Times as people's files have them: ISO 8601 with or without a zone, or a number since 1970."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

from ledger.domain import moments
from ledger.domain.errors import BadInput
from ledger.service.imports.base import BadRecord, shown

_EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
AHEAD_MAX: Final = timedelta(days=1)
"""How far in the future a record may lie: clocks differ, and so do guesses at a time zone."""
_OFFSET: Final = re.compile(r"([+-])(\d\d):?(\d\d)")
EXPECTED: Final = f"a time: {moments.EXPECTED}"


@dataclass(frozen=True, slots=True)
class Zone:
    """The time zone of times that name none."""

    name: str
    tz: tzinfo

    def read(self, value: object, *, not_after: datetime) -> tuple[datetime, bool]:
        """Return the moment that ``value`` names, in UTC, and whether it came without a zone.

        Raises:
            BadRecord: it names none, or one that lies before 1990 or over a day after ``not_after``.
        """
        moment, naive = self._moment(value)
        if moment < _EARLIEST:
            raise BadRecord(f"must be a time after 1990, not {shown(value)}")
        if moment > not_after + AHEAD_MAX:
            raise BadRecord(f"must not lie in the future: {shown(value)}")
        return moment, naive

    def _moment(self, value: object) -> tuple[datetime, bool]:
        try:
            moment = moments.written(value)
            if moment.tzinfo is None:
                return moment.replace(tzinfo=self.tz).astimezone(UTC), True
            return moment.astimezone(UTC), False
        except (ValueError, OverflowError):
            raise BadRecord(f"must be {EXPECTED}, not {shown(value)}") from None


UTC_ZONE: Final = Zone("UTC", UTC)


def zone_named(name: str) -> Zone:
    """Return the zone called ``name``: UTC, an offset (+08:00) or an IANA name (Asia/Shanghai).

    Raises:
        BadInput: this machine knows no such zone.
    """
    if name.upper() in {"UTC", "Z"}:  # The machine's zone files may be missing.
        return UTC_ZONE
    offset = _OFFSET.fullmatch(name)
    if offset is not None:
        minutes = int(offset[2]) * 60 + int(offset[3])
        if minutes < 24 * 60:
            delta = timedelta(minutes=-minutes if offset[1] == "-" else minutes)
            return Zone(name, timezone(delta))
    from zoneinfo import ZoneInfo

    try:
        return Zone(name, ZoneInfo(name))
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError.
        raise BadInput(
            f"--timezone {name}: this machine knows no such time zone.",
            hint="Give an IANA name such as Asia/Shanghai, or an offset such as +08:00.",
        ) from None
