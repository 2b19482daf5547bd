"""The types that checks are written in: names, durations, sizes, numbers, bounds; each may be `${param}`."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Annotated, Any, Final, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from ledger.configuration.strict import Strict
from ledger.domain.errors import BadInput
from ledger.domain.values.durations import parse_duration

PLACEHOLDER: Final = re.compile(r"\$\$|\$\{([^{}]*)\}")
"""`${name}`; and `$$`, which means one `$`."""
PARAM: Final = r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"
RESOLVED: Final = {"resolved": True}
"""The validation context of a check whose parameters were put in: then a text may be a number."""

_UNITS: Final = {"B": 1, "": 1} | {
    f"{letter}{suffix}": base**power
    for power, letter in enumerate("KMGT", 1)
    for suffix, base in (("", 1000), ("B", 1000), ("i", 1024), ("iB", 1024))
}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*|%)")


def has_placeholder(text: object) -> bool:
    """Tell whether ``text`` still has a parameter to be put in."""
    return isinstance(text, str) and any(
        match[1] is not None for match in PLACEHOLDER.finditer(text)
    )


def seconds_of(duration: str) -> float:
    """Return a duration, which was read, in seconds."""
    return parse_duration(duration).total_seconds()


def parse_size(text: str) -> tuple[Decimal, bool]:
    """Return the bytes of ``5 GiB``, or the percentage of ``10%``, and which of the two it is.

    Raises:
        ValueError: it is neither.
    """
    match = _SIZE.fullmatch(text.strip())
    unit = match[2] if match else ""
    if not match or (unit != "%" and unit.upper().replace("I", "i") not in _UNITS):
        raise ValueError(f"{text!r} is no size: write it like 500MB, 5GiB or 10%")
    number = Decimal(match[1])
    return (
        (number, True) if unit == "%" else (number * _UNITS[unit.upper().replace("I", "i")], False)
    )


def _text(value: Any, info: ValidationInfo) -> Any:
    """Let a parameter that is a number stand for a text; a number in the file may not."""
    if info.context == RESOLVED and isinstance(value, bool | int | float):
        return json.dumps(value)
    return value


def _duration(text: str) -> str:
    if not has_placeholder(text):
        try:
            parse_duration(text)
        except BadInput as error:
            problem = f"{error.message.rstrip('.')}; write 300ms, 5s, 10m, 1h30m or 7d"
            raise ValueError(problem) from error
    return text


def _size(text: str) -> str:
    if not has_placeholder(text):
        parse_size(text)
    return text


def _number(value: Any, info: ValidationInfo) -> Any:
    """Numbers are decimal from here on, so that what is measured is shown as it was written."""
    if isinstance(value, bool):
        raise ValueError("a number was expected")  # noqa: TRY004 -- pydantic takes no TypeError
    if isinstance(value, int | float):
        value = str(value)
    elif isinstance(value, str) and not re.match(PARAM, value) and info.context != RESOLVED:
        raise ValueError("a number was expected, without quotes, or ${param}")
    if isinstance(value, str) and not re.match(PARAM, value):
        try:
            value = Decimal(value)
        except InvalidOperation:
            raise ValueError(f"{value!r} is no number") from None
    if isinstance(value, Decimal) and not value.is_finite():
        raise ValueError("a finite number was expected")
    return value


def _whole(value: Any, info: ValidationInfo) -> Any:
    number = _number(value, info)
    if isinstance(number, Decimal) and number != int(number):
        raise ValueError("a whole number was expected")
    return number


def _written(value: Decimal | str) -> float | int | str:
    if isinstance(value, str):
        return value
    return int(value) if value == int(value) else float(value)


_NUMBER_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [{"type": "number"}, {"type": "string", "pattern": PARAM}]
}
_WHOLE_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [{"type": "integer"}, {"type": "string", "pattern": PARAM}]
}

Name: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
AnyText: TypeAlias = Annotated[str, BeforeValidator(_text)]
Text: TypeAlias = Annotated[AnyText, Field(min_length=1, max_length=4096)]
Duration: TypeAlias = Annotated[Text, AfterValidator(_duration)]
Size: TypeAlias = Annotated[Text, AfterValidator(_size)]
Number: TypeAlias = Annotated[
    Decimal | str,
    BeforeValidator(_number),
    PlainSerializer(_written, return_type=Any, when_used="json"),
    WithJsonSchema(_NUMBER_SCHEMA),
]
Whole: TypeAlias = Annotated[
    Decimal | str,
    BeforeValidator(_whole),
    PlainSerializer(_written, return_type=Any, when_used="json"),
    WithJsonSchema(_WHOLE_SCHEMA),
]
Words: TypeAlias = Annotated[tuple[Text, ...], Field(min_length=1)]
"""A program and its arguments, paths, roles: at least one."""


class Bounds(Strict):
    """Between ``min`` and ``max``, both included. Beyond ``warn_min`` or ``warn_max`` it is a WARN."""

    min: Number | None = None
    max: Number | None = None
    warn_min: Number | None = None
    warn_max: Number | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Bounds:
        given = [
            (name, bound)
            for name in ("min", "warn_min", "warn_max", "max")
            if (bound := getattr(self, name)) is not None
        ]
        numbers = [(name, bound) for name, bound in given if isinstance(bound, Decimal)]
        for (lower, low), (upper, high) in pairwise(numbers):
            if low > high:
                raise ValueError(f"{lower} is above {upper}: nothing lies between them")
        return self

    @property
    def is_empty(self) -> bool:
        """Whether it bounds nothing."""
        return all(bound is None for bound in (self.min, self.max, self.warn_min, self.warn_max))
