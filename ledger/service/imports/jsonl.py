"""A bot's daily audit files: JSON lines of orders that were meant, made and blocked. Pure.

Each line has a kind under one of `KIND_KEYS` and a time under one of `TIME_KEYS`; all else is its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NoReturn

import orjson

from ledger.service.imports.base import BadRecord, Problem, shown
from ledger.service.imports.lines import decoded
from ledger.service.imports.times import Zone

KINDS: Final = ("order_intent", "order_result", "risk_block", "risk_event")
KIND_KEYS: Final = ("type", "event", "event_type", "kind")
TIME_KEYS: Final = ("timestamp", "ts", "time", "datetime")
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


def read(
    lines: Iterable[tuple[int, bytes]], *, zone: Zone, not_after: datetime
) -> Iterator[Activity | Problem]:
    """Yield what each line holds, or what is wrong with it; blank lines don't count."""
    for number, line in lines:
        text = line.strip()
        if not text:
            continue
        try:
            yield _activity(number, text, zone, not_after)
        except BadRecord as bad:
            yield Problem(f"line {number}", str(bad))


def _activity(number: int, line: bytes, zone: Zone, not_after: datetime) -> Activity:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        decoded(line)  # says it better, if that is the reason
        cut = (
            " (the file may end in the middle of a line)" if error.pos >= len(error.doc) - 1 else ""
        )
        raise BadRecord(f"is not JSON: {error.msg}{cut}") from None
    if not isinstance(record, dict):
        raise BadRecord(f"must be a JSON object, not {shown(record)}")
    kind = _kind(record)
    at, naive = _time(record, zone, not_after)
    return Activity(number, kind, at, naive, line, record)


def _kind(record: dict[str, Any]) -> str:
    found: Any = None
    for key in KIND_KEYS:
        value = record.get(key)
        if isinstance(value, str):
            if value in _KINDS:
                return value
            found = found or (key, value)
    if found is None:
        raise BadRecord(f"has no kind: expected one of the keys {', '.join(KIND_KEYS)}")
    raise BadRecord(f"key {found[0]!r} must be one of {', '.join(KINDS)}, not {shown(found[1])}")


def _time(record: dict[str, Any], zone: Zone, not_after: datetime) -> tuple[datetime, bool]:
    for key in TIME_KEYS:
        if key in record:
            try:
                return zone.read(record[key], not_after=not_after)
            except BadRecord as bad:
                raise BadRecord(f"key {key!r} {bad}") from None
    raise BadRecord(f"has no time: expected one of the keys {', '.join(TIME_KEYS)}")


def exactly(content: bytes) -> dict[str, Any]:
    """Return a record with large whole numbers (amounts in wei) as they were written."""
    exact: dict[str, Any] = json.loads(content, parse_constant=_refuse_constant)
    return exact


def _refuse_constant(name: str) -> NoReturn:
    raise BadRecord(f"holds {name}, which is no JSON number")
