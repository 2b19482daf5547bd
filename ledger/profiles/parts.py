"""The words and values that plans are made of."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=100)]
Severity = Literal["critical", "warning", "info"]
PauseKindName = Literal["halt", "reduce_only", "drain"]
