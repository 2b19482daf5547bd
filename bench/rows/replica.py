"""Bring the audit replica up to the log, from nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from statistics import median
from time import perf_counter

from bench.context import Bench
from bench.hardware import Load
from bench.measure import Bar, Row, in_turns
from projections.audit.sync import sync


def measure(bench: Bench) -> Iterator[Row]:
    """Make the replica of the big log; the last one is kept, for whoever wants to ask it."""
    dsn, home = bench.log, bench.server.folder / "replica"

    def run() -> float:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        began = perf_counter()
        added = sync(dsn, home).added
        return added / (perf_counter() - began)

    rounds = bench.size(3, 2)
    watch = Load(bench.server.pid)
    samples = in_turns({"ours": run}, rounds, warm_up=False)
    note = bench.per_processor_second(watch, rounds * bench.events)
    ours = median(samples["ours"])
    yield Row(
        f"the audit replica catches up, {bench.events:,} events", Bar(150_000, "events/s"),
        "events/s", ours, value=ours, samples=samples, note=note,
    )  # fmt: skip
