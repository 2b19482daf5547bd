"""The same 256 bytes for everybody, under ids of the same kind, spread over the same hundred streams."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Final

from ledger.domain.log import canonical
from ledger.domain.log.envelope import NewEvent
from ledger.domain.log.ids import uuid7

STREAMS: Final = 100
BODY_BYTES: Final = 256


@cache
def body(number: int) -> bytes:
    """Return a JSON document of `BODY_BYTES` bytes."""
    envelope = {
        "actor": {"id": "bench", "kind": "service", "name": "bench"},
        "channel": "cli",
        "data": {"fields": "", "kind": "order_result"},
        "system": f"bot-{number % STREAMS:03}",
    }
    filling = BODY_BYTES - len(canonical.encode(envelope))
    envelope["data"] = {"fields": str(number).rjust(filling, "x"), "kind": "order_result"}
    return canonical.encode(envelope)


def events(*, streams: range = range(STREAMS)) -> Iterator[NewEvent]:
    """Yield events without end, each of which expects the revision that its stream then stands at."""
    number = 0
    while True:
        for stream in streams:
            yield NewEvent(
                event_id=uuid7(),
                stream=f"orders:bot-{stream:03}",
                type="OrderActivityRecorded",
                schema_version=1,
                occurred_at=datetime.now(UTC),
                body=body(stream),
                expected_revision=number,
            )
        number += 1
