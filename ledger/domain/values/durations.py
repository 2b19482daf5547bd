"""Spans of time as people write them, in Prometheus' syntax: 90s, 10m, 1h30m, 7d."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from ledger.domain.errors import BadInput

_UNITS: Final = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_WRITTEN: Final = re.compile(
    r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?"
)


def parse_duration(text: str) -> timedelta:
    """Return the span that ``text`` means: whole numbers of w, d, h, m, s, ms, the largest first.

    Raises:
        BadInput: it is not written like that, or is too long for a calendar.
    """
    written = _WRITTEN.fullmatch(text)
    if text == "0":
        return timedelta(0)
    if not text or written is None:
        raise BadInput(f"{text!r} is no duration.", hint="Write 90s, 10m, 24h, 7d or 1h30m.")
    try:
        return sum(
            (int(count) * unit for count, unit in zip(written.groups(), _UNITS.values(), strict=True)
             if count),
            timedelta(0),
        )  # fmt: skip
    except OverflowError:
        raise BadInput(f"{text!r} is longer than any calendar.") from None


def duration_text(span: timedelta, *, parts: int = 6) -> str:
    """Return ``span`` as `parse_duration` reads it, its largest ``parts`` units only: ``1h30m``."""
    left = abs(span)
    written: list[str] = []
    for name, unit in _UNITS.items():
        if name == "w":
            continue  # people count days
        count, left = divmod(left, unit)
        if count:
            written.append(f"{count}{name}")
    return ("-" if span < timedelta(0) else "") + ("".join(written[:parts]) or "0s")


def seconds_text(seconds: float) -> str:
    """Return whole seconds as people say how long something is: ``8m``, ``1d2h``."""
    return duration_text(timedelta(seconds=int(seconds)), parts=2)
