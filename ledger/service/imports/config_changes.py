"""A bot's own log of configuration changes: JSON lines, one for each applied change. Pure.

A line holds ``timestamp``, ``applied_by``, ``diff`` ({KEY: {"old": …, "new": …}}) and the whole
``previous_config``; it may hold ``profile_name``, ``risk_warnings`` and ``reason``. What is in force
after the change is ``previous_config`` with ``diff`` laid over it; a ``null`` there means: no such key.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn

from ledger.domain.errors import BadInput
from ledger.domain.values.fingerprints import Value, canonical, shortened
from ledger.domain.values.shapes import is_list, is_mapping
from ledger.service.imports.base import BadRecord, Problem, Told, shown
from ledger.service.imports.lines import decoded
from ledger.service.imports.times import SECOND_TIME_ROUND, InOrder, Zone

REPEAT_WINDOW_SECONDS: Final = 60
_KEYS: Final = frozenset(
    "timestamp applied_by diff previous_config profile_name risk_warnings reason".split()
)


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """One line of the log."""

    line: int
    at: datetime
    written: str
    """The timestamp as the line has it."""
    applied_by: str
    profile: str | None
    reason: str | None
    before: dict[str, Value]
    after: dict[str, Value]
    digest: bytes
    """Of the line's content."""
    same_as: bytes
    """Digest of who changed what from what: equal for a change that was sent again."""
    ordinal: int = 0
    """How many lines before this one are equal to it in every byte."""
    unknown: frozenset[str] = frozenset()
    """Keys of the line that are not looked at."""


def read(
    lines: Iterable[tuple[int, bytes]],
    told: Told,
    *,
    zone: Zone,
    not_after: datetime,
    repeat_window_seconds: float = REPEAT_WINDOW_SECONDS,
) -> Iterator[ConfigChange]:
    """Yield the changes in ``lines``. Bad lines and repeats go to ``told``; blank ones don't count."""
    window = timedelta(seconds=repeat_window_seconds)
    equal = Counter[bytes]()
    unknown = set[str]()
    first: ConfigChange | None = None  # of a row of equal changes
    last: ConfigChange | None = None
    times = InOrder(zone, not_after)
    second_passes = 0
    for number, line in lines:
        if not line.strip():
            continue
        try:
            change, naive, second = _change(number, line, times, equal)
            _require_order(last, change)
        except BadRecord as bad:
            told.bad(Problem(f"line {number}", str(bad)))
            continue
        times.follow(change.at)
        told.naive += naive
        second_passes += second
        unknown.update(change.unknown)
        if last is not None and change.same_as == last.same_as and change.at - last.at <= window:
            of = first or last
            told.repeated.append(f"line {number} ({change.written}) repeats line {of.line}")
            last = change
            continue
        first = last = change
        yield change
    if second_passes:
        told.note(second_passes, SECOND_TIME_ROUND)
    if unknown:
        listed = ", ".join(sorted(unknown))
        told.notes.append(f"keys that a change log has no place for were left out: {listed}")


def _require_order(last: ConfigChange | None, change: ConfigChange) -> None:
    if last is not None and change.at < last.at:
        raise BadRecord(
            f"key 'timestamp' must not lie before line {last.line}'s ({last.written}), "
            f"but is {change.written}"
        )


def _change(
    number: int, line: bytes, times: InOrder, equal: Counter[bytes]
) -> tuple[ConfigChange, bool, bool]:
    record = _parsed(line)
    written = _of(record, "timestamp")
    try:
        at, naive, second = times.read(written)
    except BadRecord as bad:
        raise BadRecord(f"key 'timestamp' {bad}") from None
    before = _object(record, "previous_config")
    diff = _object(record, "diff")
    applied_by = _text(record, "applied_by")
    if not applied_by:
        raise BadRecord("key 'applied_by' must say who changed it, and is missing or empty")
    profile = _text(record, "profile_name")
    digest = hashlib.sha256(line.strip()).digest()
    equal[digest] += 1
    change = ConfigChange(
        line=number,
        at=at,
        written=str(written),
        applied_by=applied_by,
        profile=profile,
        reason=_reason(record, profile),
        before=before,
        after=_laid_over(before, diff),
        digest=digest,
        same_as=hashlib.sha256(_canonical([applied_by, profile, diff, before])).digest(),
        ordinal=equal[digest] - 1,
        unknown=frozenset(record.keys() - _KEYS),
    )
    return change, naive, second


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(
            decoded(line), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as error:
        cut = " (the file may end in the middle of a line)" if error.pos >= len(line) - 1 else ""
        raise BadRecord(f"is not JSON: {error.msg}, at character {error.pos + 1}{cut}") from None
    except RecursionError:
        raise BadRecord("is nested too deeply") from None
    except ValueError:  # Python reads no integer of more than 4300 digits.
        raise BadRecord("holds an integer that is too long") from None
    if not is_mapping(record):
        raise BadRecord(f"must be a JSON object, not {shown(record)}")
    return record


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise BadRecord(f"key {shown(twice)} is set twice")
    return mapping


def _refuse_constant(name: str) -> NoReturn:
    raise BadRecord(f"holds {name}, which is no JSON number")


def _of(record: Mapping[str, Any], key: str) -> Any:
    if key not in record:
        raise BadRecord(f"key {key!r} is missing")
    return record[key]


def _object(record: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = _of(record, key)
    if not is_mapping(value):
        raise BadRecord(f"key {key!r} must be an object, not {shown(value)}")
    return value


def _text(record: Mapping[str, Any], key: str) -> str | None:
    value = record.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadRecord(f"key {key!r} must be text, not {shown(value)}")
    return value.strip() or None


def _reason(record: Mapping[str, Any], profile: str | None) -> str | None:
    """Return why, in the record's words: its reason, its profile, what it was warned of."""
    warnings: Any = record.get("risk_warnings") or []
    if not is_list(warnings) or not all(isinstance(warning, str) for warning in warnings):
        raise BadRecord(f"key 'risk_warnings' must be a list of texts, not {shown(warnings)}")
    said = [
        _text(record, "reason"),
        f"profile {profile}" if profile else None,
        f"risk warnings: {', '.join(warnings)}" if warnings else None,
    ]
    return "; ".join(part for part in said if part) or None


def _laid_over(before: dict[str, Value], diff: dict[str, Any]) -> dict[str, Value]:
    """Return the configuration after ``diff``, having checked that it starts from ``before``."""
    after = dict(before)
    for key, change in diff.items():
        name = f"key 'diff.{shortened(key, 60)}'"
        if not is_mapping(change) or change.keys() != {"old", "new"}:
            raise BadRecord(f"{name} must be an object of exactly 'old' and 'new'")
        # Values stay out of the message: any of them may be a secret.
        if _canonical(change["old"]) != _canonical(before.get(key)):
            raise BadRecord(
                f"{name}: its 'old' must be the value that 'previous_config' holds, and is another"
            )
        if change["new"] is None:
            after.pop(key, None)
        else:
            after[key] = change["new"]
    return after


def _canonical(value: Value) -> bytes:
    try:
        return canonical(value)
    except BadInput as error:
        raise BadRecord(error.message) from None
