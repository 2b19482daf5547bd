"""Events that this program can't read: set aside, shown, and never a reason to stop.

The log can't be cleaned, and whoever may append may append anything. A body that is no JSON, or not what
its type promises, changes nothing in the state; that it is there is told, and keeps exposure from being
raised until a person has answered it (`EventCorrected`). The same holds for an event of a newer version
than this program knows: it may have said something that counts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from ledger.domain.log import canonical
from ledger.domain.log.envelope import Recorded
from ledger.domain.log.upcast import newest_version

POISON: Final = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What a body that is not what its type promises can lead to."""
STAND_IN: Final = "EventUnreadable"
"""The type of what read models are given in the place of such an event. It is never recorded."""
EXPLANATION_MAX: Final = 200
FIRST_YEAR: Final = 3
LAST_YEAR: Final = 9998
"""Of a time that can be reckoned from; the store draws what lies beyond the calendar to its ends."""
_NOBODY: Final = {"id": "unknown", "name": "unknown", "kind": "service"}


def in_calendar(event: Recorded) -> bool:
    """Tell whether the event happened at a time that can be reckoned from."""
    return FIRST_YEAR <= event.occurred_at.year < LAST_YEAR


def require_readable(event: Recorded) -> None:
    """Raise unless this program knows the version of the event's type, and its time is one.

    Raises:
        ValueError: a newer program has recorded it, or it happened at no time of the calendar.
    """
    if event.type != STAND_IN and not in_calendar(event):
        raise ValueError("its time is out of bounds")
    if event.schema_version > 1 and event.schema_version > newest_version(event.type):
        raise ValueError(f"version {event.schema_version} is newer than this program")


def readable(event: Recorded) -> Recorded:
    """Return the event, or what stands in for it where its body holds no event."""
    try:
        require_readable(event)
        body = event.decoded
        _ = (body["actor"]["id"], body["actor"]["name"], body["actor"]["kind"], body["channel"])
        if isinstance(body["data"], dict):
            return event
        problem: Exception = TypeError("its data are no object")
    except POISON as error:
        problem = error
    return stand_in(event, problem)


def stand_in(event: Recorded, problem: Exception) -> Recorded:
    """Return what read models are given in the place of ``event``."""
    prefix, _, name = event.stream.partition(":")
    body: dict[str, Any] = {
        "actor": _NOBODY,
        "channel": "unknown",
        "data": {"type": event.type, "explanation": explanation_of(problem)},
    }
    if prefix == "system":
        body["system"] = name
    return replace(event, type=STAND_IN, schema_version=1, body=canonical.encode(body))


def explanation_of(problem: Exception) -> str:
    """Return in a few words why an event can't be read; nothing of its content, which may be anything."""
    text = str(problem) if type(problem) in {ValueError, TypeError} else ""
    return f"{type(problem).__name__}{': ' if text else ''}{text}"[:EXPLANATION_MAX]
