"""The state of a system as of any moment, asked in a process that is warm."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from time import perf_counter
from typing import Final

from bench import generate
from bench.context import Bench
from bench.measure import Bar, Row, percentile
from ledger.clock import SystemClock
from ledger.domain.errors import BadInput
from ledger.store.connect import PROJECTOR, open_connection
from projections.engine.runner import Projector
from projections.queries.as_of import Moment, state_at

SYSTEMS: Final = 100


def measure(bench: Bench) -> Iterator[Row]:
    """Ask for random systems at random moments, by position and by both clocks."""
    chance = random.Random(7)
    connect = partial(open_connection, bench.log, role=PROJECTOR)
    projector = bench.closing(Projector(connect, SystemClock()))
    projector.catch_up()
    bounds = "SELECT min(recorded_at), max(recorded_at) FROM ledger.event"
    first, last = projector.db.execute(bounds).fetchone() or (None, None)
    assert first is not None
    times: list[float] = []
    for number in range(bench.size(600, 60)):
        share = chance.random()
        moment = (
            Moment(position=1 + int(share * (bench.events - 1))),
            Moment(time=generate.START + generate.SPAN * share, clock="occurred"),
            Moment(time=first + (last - first) * share, clock="recorded"),
        )[number % 3]
        began = perf_counter()
        try:
            state_at(projector.db, f"bot-{chance.randrange(SYSTEMS):03}", moment)
        except BadInput:
            continue  # The moment lies before the system's first event.
        times.append((perf_counter() - began) * 1000)
    slow = percentile(times, 0.99)
    yield Row(
        f"state as of any moment, {bench.events:,} events", Bar(100, "ms", at_most=True), "ms", slow,
        value=slow, samples={"ours": times},
        note=f"the 99th percentile of {len(times)}; the median is {percentile(times, 0.5):.1f} ms",
    )  # fmt: skip
