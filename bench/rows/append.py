"""One append, one connection: each call is a transaction of one event, made durable before it returns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from time import perf_counter

from bench import payload
from bench.context import Bench, unless_missing
from bench.hardware import Effort
from bench.measure import Bar, Row, compared, in_turns
from bench.peers import message_db
from ledger.store.postgres import PostgresStore

WORK = "one append, one connection"
MESSAGE_DB = "message-db write_message"
EVENTSOURCING = "eventsourcing recorder"


def measure(bench: Bench) -> Iterator[Row]:
    """Append single events, each expecting its stream's revision."""
    count = bench.size(200, 100)
    store = bench.closing(PostgresStore(bench.server.new_ledger()))
    source = payload.events()

    def ours() -> float:
        batches = [[event] for event in islice(source, count)]
        began = perf_counter()
        for batch in batches:
            store.append(batch)
        return count / (perf_counter() - began)

    contenders = {"ours": ours}
    dsn, no_message_db = unless_missing(bench.message_db)
    if dsn is not None:
        writer = bench.closing(message_db.Writer(dsn))
        contenders[MESSAGE_DB] = lambda: writer.rate(count)
    recorder, no_eventsourcing = unless_missing(bench.eventsourcing)
    if recorder is not None:
        contenders[EVENTSOURCING] = lambda: recorder.rate(count, 1)
    effort = Effort(bench.server.pid)
    samples = in_turns({k: effort.of(k, run) for k, run in contenders.items()}, bench.size(60, 15))
    yield compared(
        WORK,
        MESSAGE_DB,
        samples,
        bar=Bar(1.0),
        unit="events/s",
        missing=no_message_db,
        note=str(effort),
    )
    yield compared(
        WORK, EVENTSOURCING, samples, bar=Bar(1.8), unit="events/s", missing=no_eventsourcing
    )
