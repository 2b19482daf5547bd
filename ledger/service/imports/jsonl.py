"""A bot's daily audit files: JSON lines of orders that were meant, made and blocked. Pure.

Each line has a kind under one of `KIND_KEYS` and a time under one of `TIME_KEYS`; all else is its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from ledger.domain.values.shapes import is_mapping
from ledger.service.imports.base import BadRecord, Problem, shown
from ledger.service.imports.lines import decoded
from ledger.service.imports.times import SECOND_TIME_ROUND, InOrder, Zone

KINDS: Final = ("order_intent", "order_result", "risk_block", "risk_event")
KIND_KEYS: Final = ("type", "event", "event_type", "kind")
TIME_KEYS: Final = ("timestamp", "ts", "time", "datetime")
OVERTAKING_MAX: Final = timedelta(minutes=1)
"""By so much a bot's records may stand out of order: it has several writers."""
NOT_FINITE: Final = (
    "lines hold NaN or Infinity, which JSON has no number for; they were kept as texts"
)
_NOT_FINITE: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|-?\b(?:NaN|Infinity)\b')
"""A whole text, which stays as it is; or such a word outside of texts."""
_KINDS: Final = frozenset(KINDS)


@dataclass(frozen=True, slots=True)
class Activity:
    """One record of order activity."""

    number: int
    """Its line, from 1."""
    kind: str
    at: datetime
    naive: bool
    """Its time came without a zone."""
    content: bytes
    """What it is known by: equal for equal records."""
    fields: dict[str, Any]
    """Its keys and values."""
    remarks: tuple[str, ...] = ()
    """What of it was read with care."""


def read(
    lines: Iterable[tuple[int, bytes]], *, zone: Zone, not_after: datetime
) -> Iterator[Activity | Problem]:
    """Yield what each line holds, or what is wrong with it; blank lines don't count."""
    times = InOrder(zone, not_after, OVERTAKING_MAX)
    for number, line in lines:
        text = line.strip()
        if not text:
            continue
        try:
            yield _activity(number, text, times)
        except BadRecord as bad:
            yield Problem(f"line {number}", str(bad))


def _activity(number: int, line: bytes, times: InOrder) -> Activity:
    remarks: tuple[str, ...] = ()
    if b"NaN" in line or b"Infinity" in line:
        strict = _NOT_FINITE.sub(_as_text, line)
        remarks = (NOT_FINITE,) if strict != line else ()
        line = strict
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        decoded(line)  # says it better, if that is the reason
        cut = (
            " (the file may end in the middle of a line)" if error.pos >= len(error.doc) - 1 else ""
        )
        raise BadRecord(f"is not JSON: {error.msg}{cut}") from None
    if not is_mapping(record):
        raise BadRecord(f"must be a JSON object, not {shown(record)}")
    kind = _kind(record)
    at, naive, second = _time(record, times)
    times.follow(at)
    if second:
        remarks += (SECOND_TIME_ROUND,)
    return Activity(number, kind, at, naive, line, record, remarks)


def _as_text(word: re.Match[bytes]) -> bytes:
    return word[0] if word[0].startswith(b'"') else b'"%b"' % word[0]


def _kind(record: dict[str, Any]) -> str:
    other: Any = None
    for key in KIND_KEYS:
        value = record.get(key)
        if isinstance(value, str):
            if value in _KINDS:
                return value
            other = other or (key, value)
    if other is None:
        raise BadRecord(f"has no kind: expected one of the keys {', '.join(KIND_KEYS)}")
    raise BadRecord(f"key {other[0]!r} must be one of {', '.join(KINDS)}, not {shown(other[1])}")


def _time(record: dict[str, Any], times: InOrder) -> tuple[datetime, bool, bool]:
    for key in TIME_KEYS:
        if key in record:
            try:
                return times.read(record[key])
            except BadRecord as bad:
                raise BadRecord(f"key {key!r} {bad}") from None
    raise BadRecord(f"has no time: expected one of the keys {', '.join(TIME_KEYS)}")


def exactly(content: bytes) -> dict[str, Any]:
    """Return a record with large whole numbers (amounts in wei) as they were written."""
    exact: dict[str, Any] = json.loads(content)
    return exact
