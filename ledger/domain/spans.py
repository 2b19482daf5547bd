"""A span of time as a field of a model: written 90s, 10m, 24h, 7d."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

from ledger.domain.durations import parse_duration
from ledger.domain.errors import BadInput


def _duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError("write a duration as 90s, 10m, 24h, 7d or 1h30m")  # noqa: TRY004 -- pydantic's way
    try:
        return parse_duration(value)
    except BadInput as problem:
        raise ValueError(problem.message) from None


Duration = Annotated[timedelta, BeforeValidator(_duration, json_schema_input_type=str)]
