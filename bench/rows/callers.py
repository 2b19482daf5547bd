"""64 concurrent callers through one process, each waiting for its own event to be durable."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from statistics import median
from time import perf_counter
from typing import Final

from bench import payload
from bench.context import Bench, unless_missing
from bench.hardware import Effort
from bench.measure import Bar, Row, compared, in_turns, percentile, rate_of_crowd
from bench.peers import message_db
from ledger.clock import SystemClock
from ledger.store.group_commit import GroupCommitter
from ledger.store.postgres import PostgresStore

CALLERS: Final = 64
CONNECTIONS: Final = 32
PEER: Final = f"message-db, {CONNECTIONS} connections"


def measure(bench: Bench) -> Iterator[Row]:
    """Compare with the server's own flush."""
    yield _row(bench, f"{CALLERS} callers, one process", Bar(8.0), flush=False)


def measure_with_flush(bench: Bench) -> Iterator[Row]:
    """Compare with a flush of two milliseconds more, about what a network disk takes."""
    yield _row(bench, f"{CALLERS} callers, one process, 2 ms flush", Bar(25.0), flush=True)


def _row(bench: Bench, work: str, bar: Bar, *, flush: bool) -> Row:
    seconds = 0.5 if bench.quick else 1.0
    store = bench.closing(PostgresStore(bench.server.new_ledger(flush=flush)))
    committer = bench.closing(GroupCommitter(store, SystemClock()))
    sources = [payload.events(streams=range(number, number + 1)) for number in range(CALLERS)]
    waits: list[float] = []

    async def task(number: int, deadline: float) -> int:
        count = 0
        while (began := perf_counter()) < deadline:
            answer = await committer.append_soon(next(sources[number]))
            if answer.outcome != "appended":
                raise RuntimeError(f"an append was answered with {answer}")
            waits.append(perf_counter() - began)
            count += 1
        return count

    async def tasks() -> float:
        began = perf_counter()
        counts = await asyncio.gather(*(task(n, began + seconds) for n in range(CALLERS)))
        return sum(counts) / (perf_counter() - began)

    def threads() -> float:
        steps = [lambda s=source: committer.append(next(s)) for source in sources]
        return rate_of_crowd(steps, seconds)

    contenders = {"ours": lambda: asyncio.run(tasks()), "ours, as threads": threads}
    dsn, missing = unless_missing(lambda: bench.message_db(flush=flush))
    if dsn is not None:
        crowd = bench.closing(message_db.Crowd(dsn, CONNECTIONS))
        contenders[PEER] = lambda: crowd.rate(seconds)
    effort = Effort(bench.server.pid)
    samples = in_turns({k: effort.of(k, run) for k, run in contenders.items()}, bench.size(9, 3))
    half, most = (percentile(waits, share) * 1000 for share in (0.5, 0.99))
    note = (
        f"callers are tasks; as threads {median(samples['ours, as threads']):,.0f} events/s. "
        f"A task waits {half:.1f} ms, one in a hundred over {most:.1f} ms; {effort}"
    )
    return compared(work, PEER, samples, bar=bar, unit="events/s", missing=missing, note=note)
