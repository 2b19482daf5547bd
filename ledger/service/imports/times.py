"""Times as people's files have them: ISO 8601 with or without a zone, or a number since 1970."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

from ledger.domain.errors import BadInput
from ledger.domain.values import moments
from ledger.service.imports.base import BadRecord, shown

_EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
AHEAD_MAX: Final = timedelta(days=1)
"""How far in the future a record may lie: clocks differ, and so do guesses at a time zone."""
_OFFSET: Final = re.compile(r"([+-])(\d\d):?(\d\d)")
SECOND_TIME_ROUND: Final = (
    "times lie in the hour that the clock went through twice, and follow later ones: "
    "they were read as of the second pass"
)
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

    def second_pass(self, value: object) -> datetime:
        """Return the moment that ``value``, which `read` read, means in the second pass through its hour.

        Only in the hour that a clock set back goes through twice is this another one.
        """
        return moments.written(value).replace(tzinfo=self.tz, fold=1).astimezone(UTC)

    def _moment(self, value: object) -> tuple[datetime, bool]:
        try:
            moment = moments.written(value)
            if moment.tzinfo is None:
                return moment.replace(tzinfo=self.tz).astimezone(UTC), True
            return moment.astimezone(UTC), False
        except (ValueError, OverflowError):
            raise BadRecord(f"must be {EXPECTED}, not {shown(value)}") from None


class InOrder:
    """Reads the times of records that stand in order, so that the hour that comes twice is told apart.

    A time without a zone that would lie before the record above, and would not in the second pass, means
    the second pass. Records of several writers may overtake each other by ``slack``; in a file that runs
    backwards the order says nothing.
    """

    def __init__(self, zone: Zone, not_after: datetime, slack: timedelta = timedelta(0)) -> None:
        self._zone = zone
        self._not_after = not_after
        self._slack = slack
        self._last: datetime | None = None
        self._falling = False

    def read(self, value: object) -> tuple[datetime, bool, bool]:
        """Return the moment, whether it came without a zone, and whether it is of the second pass.

        Raises:
            BadRecord: as `Zone.read`.
        """
        moment, naive = self._zone.read(value, not_after=self._not_after)
        if naive and self._last is not None and not self._falling:
            earliest = self._last - self._slack
            if moment < earliest <= (second := self._zone.second_pass(value)):
                return second, naive, True
        return moment, naive, False

    def follow(self, moment: datetime) -> None:
        """Say that a record of that time was taken: the next one is read as what follows it."""
        if self._last is not None and abs(moment - self._last) > self._slack:
            self._falling = moment < self._last
        self._last = moment


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
