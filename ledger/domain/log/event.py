"""What all events have in common: strictness, versions, and the types that their fields are made of."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from ledger.domain.log.canonical import SAFE_INTEGER_MAX


class Part(BaseModel):
    """A piece of an event's data. Strict, closed and frozen: nothing slips in, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    def payload(self) -> dict[str, Any]:
        """Return the model as JSON-ready data, without what was not given."""
        return self.model_dump(mode="json", exclude_none=True)


class Event(Part):
    """One kind of event: the ``data`` of its body."""

    version: ClassVar[int] = 1

    @property
    def type(self) -> str:
        """The event's type as the log names it."""
        return type(self).__name__


Fingerprint = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
CommitId = Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
"""Of git: the full id."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, le=SAFE_INTEGER_MAX)]
ModeName = Literal["mock", "real", "paused"]
PauseKindName = Literal["halt", "reduce_only", "drain"]
Severity = Literal["critical", "warning", "info"]
DecimalText = Annotated[
    str, Field(pattern=r"^(-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?|NaN|[+-]Inf)$")
]


def decimal_text(value: float) -> str:
    """Return a measured value as events carry it."""
    if value != value:  # noqa: PLR0124 -- NaN is not itself
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)
