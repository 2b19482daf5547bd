"""Measured values against their bounds, and how both are written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from ledger.configuration.names import Hint, hint_of
from ledger.domain.values.durations import duration_text, parse_duration
from ledger.domain.values.fingerprints import Value, child_key, leaf_text, tag_of
from ledger.preflight.fields import Bounds
from ledger.preflight.finding import Result, passed

_CLOCKS_DIFFER_SECONDS: Final = 60
_PLAIN_DIGITS: Final = 24


def judged(value: Decimal, bounds: Bounds) -> Result:
    """Return where ``value`` lies. The bounds themselves are within."""
    if _beyond(value, bounds.min, bounds.max):
        return Result.FAIL
    return Result.WARN if _beyond(value, bounds.warn_min, bounds.warn_max) else Result.PASS


def bounds_text(bounds: Bounds, unit: str = "") -> str:
    """Return e.g. ``at least 0.2, warn below 0.5``; each number with its ``unit``."""
    low, high = bounds.min, bounds.max
    parts = [
        ("at least {}", low if high is None else None),
        ("at most {}", high if low is None else None),
        ("warn below {}", bounds.warn_min),
        ("warn above {}", bounds.warn_max),
    ]
    told = [
        text.format(f"{number_text(bound)}{unit}") for text, bound in parts if bound is not None
    ]
    if low is not None and high is not None:
        told.insert(0, f"{number_text(low)} to {number_text(high)}{unit}")
    return ", ".join(told) or "any number"


def judged_age(age: timedelta, max_age: str | None, warn_age: str | None) -> Result:
    """Return whether something is fresh. What lies in the future by more than a clock may err is not."""
    if max_age is None and warn_age is None:
        return Result.PASS
    limit = None if max_age is None else parse_duration(max_age)
    ahead_max = max(timedelta(seconds=_CLOCKS_DIFFER_SECONDS), limit or timedelta())
    if (limit is not None and age > limit) or age < -ahead_max:
        return Result.FAIL
    if warn_age is not None and age > parse_duration(warn_age):
        return Result.WARN
    return Result.PASS


def age_text(age: timedelta) -> str:
    """Return ``2h5m old``, or that it lies in the future. From a second on, no parts of one are told."""
    if abs(age) >= timedelta(seconds=1):
        age = timedelta(seconds=round(age.total_seconds()))
    if age < timedelta():
        return f"{duration_text(-age, parts=2)} in the future"
    return f"{duration_text(age, parts=2)} old"


def age_limit_text(max_age: str | None, warn_age: str | None) -> str:
    """Return ``at most 5s old, warn above 2s``."""
    limit = "any age" if max_age is None else f"at most {max_age} old"
    return limit if warn_age is None else f"{limit}, warn above {warn_age}"


def number_text(number: Decimal | str) -> str:
    """Return a number in plain digits, as people write it."""
    if isinstance(number, str):
        return number
    if number and not -_PLAIN_DIGITS <= number.adjusted() <= _PLAIN_DIGITS:
        return f"{number:.6g}"
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def number_in(value: Value | Decimal) -> Decimal | None:
    """Return what ``value``, of a configuration or of JSON, is as a number; None: it is none."""
    if isinstance(value, dict) and tag_of(value) == "$integer":
        return Decimal(str(value["$integer"]))
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    return number if number.is_finite() else None


def nodes(value: Value, key: str = "") -> Iterator[tuple[str, Value]]:
    """Yield every part of ``value`` with its key path, the containers too."""
    if key:
        yield key, value
    if isinstance(value, dict) and not tag_of(value):
        for name, item in value.items():
            yield from nodes(item, child_key(key, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from nodes(item, f"{key}[{index}]")


def same(value: Any, wanted: Any) -> Result:
    """Return whether two values of a configuration are one: 1 and 1.0 are, 1 and "1" are not."""
    if (number := number_in(wanted)) is not None:
        return passed(number_in(value) == number)
    return passed(type(value) is type(wanted) and value == wanted)


def shown(key: str, value: Value) -> str:
    """Return a value as it may be shown beside its key."""
    if hint_of(key) is Hint.SECRET and value is not None:
        return "***"
    if isinstance(value, dict | list) and not tag_of(value):
        return "a mapping" if isinstance(value, dict) else f"a list of {len(value)}"
    return leaf_text(value)


def _beyond(value: Decimal, low: Decimal | str | None, high: Decimal | str | None) -> bool:
    return (isinstance(low, Decimal) and value < low) or (
        isinstance(high, Decimal) and value > high
    )
