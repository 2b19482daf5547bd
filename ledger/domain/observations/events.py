"""What is only observed: metrics and order activity."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ledger.domain.log.event import DecimalText, Event, Part


class Sample(Part):
    """One measured value."""

    metric: str
    value: DecimalText
    labels: dict[str, str] = {}


class MetricsRecorded(Event):
    """Values measured at one moment (the event's ``occurred_at``)."""

    samples: Annotated[tuple[Sample, ...], Field(min_length=1)]


class OrderActivityRecorded(Event):
    """One line of a bot's audit log (seed 001), verbatim in ``fields`` but for secrets."""

    kind: Literal["order_intent", "order_result", "risk_block", "risk_event"]
    fields: dict[str, str]
    """Top-level key -> canonical JSON text."""
