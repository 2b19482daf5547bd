"""Times as people write them on a command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from ledger.domain.errors import BadInput
from ledger.domain.values.moments import since_1970

ACCEPTED: Final = (
    "Give 2025-11-20T03:00:00Z, 2025-11-20 (UTC unless it says another zone), a time ago such as 90s, 15m, "
    "2h, 1h30m, 3d, 1w or '3 days ago', seconds, ms, µs or ns since 1970, or now, today, yesterday."
)
_UNITS: Final = {
    "s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600,
    "d": 86400, "day": 86400, "w": 604800, "week": 604800,
}  # fmt: skip
_AMOUNT: Final = re.compile(r"(\d{1,9})\s*([a-z]+?)s?(?=\d|\s|$)\s*")
_ISO: Final = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d{1,6})?)?\s*(Z|[+-]\d\d:?\d\d)?)?", re.IGNORECASE
)

_SINCE_1970: Final = re.compile(r"\d{9,19}(\.\d{1,9})?")


def parse_time(text: str, now: datetime) -> datetime:
    """Return the moment that ``text`` means, seen from ``now``. A date alone is its first moment, in UTC.

    Raises:
        BadInput: it means none; the hint names the forms that are understood.
    """
    words = text.strip().lower()
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    named = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}
    if words in named:
        return named[words]
    if _ISO.fullmatch(text.strip()):
        return _iso(text.strip(), text)
    if _SINCE_1970.fullmatch(words):
        return _counted(words, text)
    return _ago(words.removesuffix("ago").strip(), text, now)


def _iso(stripped: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(stripped.replace(",", ".").upper().replace(" Z", "Z"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _unknown(text) from None


def _counted(digits: str, text: str) -> datetime:
    try:
        return since_1970(Decimal(digits))
    except ValueError:
        raise _unknown(text) from None


def _ago(words: str, text: str, now: datetime) -> datetime:
    seconds, rest = 0, words
    while match := _AMOUNT.match(rest):
        unit = _UNITS.get(match[2]) or _UNITS.get(match[2] + "s")
        if unit is None:
            raise _unknown(text)
        seconds += int(match[1]) * unit
        rest = rest[match.end() :]
    if rest or not words:
        raise _unknown(text)
    try:
        return now - timedelta(seconds=seconds)
    except OverflowError:
        raise _unknown(text) from None


def _unknown(text: str) -> BadInput:
    return BadInput(f"{text!r} is no time.", hint=ACCEPTED)


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago ``moment`` was, in one unit: ``2 h ago``; ``just now`` within seconds."""
    seconds = int((now - moment).total_seconds())
    if seconds < 0:
        return "in the future"
    return f"{span(seconds)} ago" if seconds >= 5 else "just now"


def span(seconds: int) -> str:
    """Return how long that is, in one unit: ``2 h``."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def shown(moment: datetime) -> str:
    """Return a moment as people read it, in UTC: ``2025-11-20 03:00:00Z``."""
    return f"{moment.astimezone(UTC).isoformat(' ', 'seconds')[:-6]}Z"
