"""A span of time as a field of a model: written 90s, 10m, 24h, 7d."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from ledger.domain.errors import BadInput
from ledger.domain.values.durations import duration_text, parse_duration


def _duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError("write a duration as 90s, 10m, 24h, 7d or 1h30m")  # noqa: TRY004 -- pydantic's way
    try:
        return parse_duration(value)
    except BadInput as problem:
        message = f"{problem.message.rstrip('.')}; write 90s, 10m, 24h, 7d or 1h30m"
        raise ValueError(message) from None


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration, json_schema_input_type=str),
    # The schema's defaults are put into files by editors, so they are written as they are read.
    PlainSerializer(duration_text, return_type=str, when_used="json"),
]
