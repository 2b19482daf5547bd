"""Times as other programs write them: ISO 8601, or a number since 1970 that its size tells the unit of. Pure.

Every place that takes a time from a file, a request or another program reads it here, so that one number
means one moment wherever it is given.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2286, 11, 20, 17, 46, 40, tzinfo=UTC)
"""When the seconds since 1970 get an eleventh digit; what lies beyond is no time that anybody measured."""
_UNITS: Final = ((10**11, 10**6), (10**14, 10**3), (10**17, 1))
"""Below that number it counts units of so many µs: s, ms, µs. What is larger counts ns."""
_NUMBER: Final = re.compile(
    r"[+-]?(?:\d{9,19}(?:\.\d*)?|\d{1,8}\.\d*|\d{1,7}|\d{1,19}(?:\.\d*)?[eE]\+?\d\d?)"
)
"""Eight digits alone are a date: 20260201."""
EXPECTED: Final = "ISO 8601 (2026-02-01T21:11:09Z) or a number since 1970 (s, ms, µs or ns)"


def since_1970(number: float | Decimal) -> datetime:
    """Return the moment that is ``number`` seconds, milliseconds, microseconds or nanoseconds after 1970.

    Which of these it counts is told by its size.

    Raises:
        ValueError: it is no finite number, or one of a time that has not come by far.
    """
    exact = Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
    if not exact.is_finite() or abs(exact) >= 10**20:
        raise _no_time(number)
    for below, microseconds in _UNITS:
        if abs(exact) < below:
            count = int((exact * microseconds).to_integral_value(ROUND_HALF_EVEN))
            break
    else:
        count = int(exact) // 1000
    moment = EPOCH + timedelta(microseconds=count)
    if moment > LATEST:
        raise _no_time(number)
    return moment


def written(value: object) -> datetime:
    """Return the time that ``value`` writes: aware if it names a zone or counts since 1970, else naive.

    Raises:
        ValueError: it writes none.
    """
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return since_1970(value)
    if not isinstance(value, str):
        raise _no_time(value)
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return since_1970(Decimal(text))
    try:
        return datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        raise _no_time(value) from None


def moment_of(value: object, zone: tzinfo = UTC) -> datetime:
    """Return the moment that ``value`` writes, in UTC; one that names no zone is of ``zone``.

    Raises:
        ValueError: it writes none, or one before 1970 or after `LATEST`.
    """
    try:
        moment = written(value)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:  # year 1 or 9999, seen from another zone
        raise _no_time(value) from None
    if not EPOCH <= moment <= LATEST:
        raise _no_time(value)
    return moment


def shifted(moment: datetime, span: timedelta) -> datetime:
    """Return ``moment`` moved by ``span``; at the ends of the calendar, its first or last moment.

    The log may hold times of year 1 or 9999, by a clock that was wrong: no reader of it fails for that.
    """
    try:
        return moment + span
    except OverflowError:
        forward = span > timedelta(0)
        zone = moment.tzinfo
        return datetime.max.replace(tzinfo=zone) if forward else datetime.min.replace(tzinfo=zone)


def within_bounds(moment: datetime) -> datetime:
    """Return ``moment``, or the nearest one that there is a way to reckon from: from 1970 to `LATEST`."""
    return min(max(moment, EPOCH), LATEST)


def _no_time(value: object) -> ValueError:
    text = repr(value)
    short = text if len(text) <= 60 else f"{text[:57]}…"
    return ValueError(f"{short} is no time: expected {EXPECTED}")


def iso(moment: datetime) -> str:
    """Return ``moment`` as UTC text of fixed width, so that text order is time order."""
    return f"{moment.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z"  # strftime pads no year


def from_iso(text: str) -> datetime:
    """Return the moment that a text stands for which `iso` wrote, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)
