"""A span of time as a field of a model, written 90s, 10m, 24h, 7d; and a share of one, written 1%."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer

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


def _share(value: Any) -> Any:
    number = re.fullmatch(r"(\d+(?:\.\d+)?) ?%", value) if isinstance(value, str) else None
    if number is None:
        raise ValueError("write a share as 1% or 0.5%")
    return float(number[1]) / 100


Share = Annotated[
    float,
    Field(ge=0, le=0.5),
    BeforeValidator(_share, json_schema_input_type=str),
    PlainSerializer(lambda share: f"{share * 100:g}%", return_type=str, when_used="json"),
]
"""A share, at most a half."""
