"""Events to append, made short."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from ledger.domain.log import canonical
from ledger.domain.log.envelope import NewEvent
from ledger.domain.log.ids import uuid7

NOON = datetime(2025, 11, 20, 12, 0, tzinfo=UTC)


def an_event(
    stream: str = "system:bot",
    *,
    expected: int | None = None,
    event_id: UUID | None = None,
    type_: str = "IncidentNoted",
    schema_version: int = 1,
    occurred_at: datetime = NOON,
    body: bytes | None = None,
    **data: Any,
) -> NewEvent:
    """Return an event that differs from every other one by its id; ``data`` goes into its body."""
    whole = {
        "actor": {"id": "ann", "name": "Ann", "kind": "human"},
        "channel": "cli",
        "data": data or {"incident": "INC-1", "note": "seen"},
    }
    return NewEvent(
        event_id=event_id or uuid7(),
        stream=stream,
        type=type_,
        schema_version=schema_version,
        occurred_at=occurred_at,
        body=canonical.encode(whole) if body is None else body,
        expected_revision=expected,
    )


def events(count: int, stream: str = "system:bot") -> list[NewEvent]:
    """Return ``count`` events of one stream."""
    return [an_event(stream, note=str(index), incident="INC-1") for index in range(count)]
