"""A batch of 1,000 in one transaction, beside the same of eventsourcing, and beside a raw COPY."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import islice
from time import perf_counter
from typing import Any, Final

import psycopg

from bench import payload
from bench.context import Bench, unless_missing
from bench.measure import Bar, Row, compared, in_turns
from ledger.domain.log.canonical import microseconds
from ledger.domain.log.envelope import NewEvent
from ledger.store.postgres import PostgresStore

WORK: Final = "a batch of 1,000"
SIZE: Final = 1000
EVENTSOURCING: Final = "eventsourcing's batch"
COPY: Final = "raw COPY, same table"


def measure(bench: Bench) -> Iterator[Row]:
    """Append batches; an event's id, stream and body are given, and each expects its revision."""
    count = bench.size(5, 2)
    store = bench.closing(PostgresStore(bench.server.new_ledger()))
    raw = bench.closing(_Raw(bench.server.new_ledger()))
    ours_source, raw_source = payload.events(), payload.events()

    def ours() -> float:
        batches = [list(islice(ours_source, SIZE)) for _ in range(count)]
        began = perf_counter()
        for batch in batches:
            store.append(batch)
        return count * SIZE / (perf_counter() - began)

    def copy() -> float:
        batches = [list(islice(raw_source, SIZE)) for _ in range(count)]
        began = perf_counter()
        for batch in batches:
            raw.copy(batch)
        return count * SIZE / (perf_counter() - began)

    contenders = {"ours": ours, COPY: copy}
    recorder, missing = unless_missing(bench.eventsourcing)
    if recorder is not None:
        contenders[EVENTSOURCING] = lambda: recorder.rate(count, SIZE)
    samples = in_turns(contenders, bench.size(40, 8))
    yield compared(WORK, EVENTSOURCING, samples, bar=Bar(1.5), unit="events/s", missing=missing)
    yield compared(WORK, COPY, samples, bar=Bar(0.5), unit="events/s")


class _Raw:
    """Copies rows into a ledger's own table, as only a superuser may: no order kept, nothing hashed."""

    _FIXED: Final = struct.Struct(">h ih iq iq ii i16s iq iq i32s i")
    _HASH: Final = bytes(range(32))

    def __init__(self, dsn: str) -> None:
        self._connection: psycopg.Connection[Any] = psycopg.connect(dsn, autocommit=True)
        self._position = 0

    def copy(self, batch: Sequence[NewEvent]) -> None:
        """Copy one batch, packed by hand: psycopg's own packing is slower than the COPY itself."""
        now = microseconds(batch[0].occurred_at)
        parts = [b"PGCOPY\n\xff\r\n\x00" + bytes(8)]
        for event in batch:
            self._position += 1
            stream, type_ = event.stream.encode(), event.type.encode()
            fixed = self._FIXED.pack(
                12, 2, 1, 8, self._position, 8, (event.expected_revision or 0) + 1,
                4, event.schema_version, 16, event.event_id.bytes,
                8, microseconds(event.occurred_at), 8, now, 32, self._HASH, len(stream),
            )  # fmt: skip
            parts += (
                fixed, stream, len(type_).to_bytes(4, "big"), type_, b"\x00\x00\x00\x20", self._HASH,
                len(event.body).to_bytes(4, "big"), event.body,
            )  # fmt: skip
        parts.append(b"\xff\xff")
        statement = "COPY ledger.event FROM STDIN (FORMAT binary)"
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(b"".join(parts))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
