"""Recompute the hash chain of the whole log, as `rollout verify` does."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from time import perf_counter

from bench.context import Bench
from bench.hardware import Load
from bench.measure import Bar, Row, in_turns
from ledger.store.verify import verify


def measure(bench: Bench) -> Iterator[Row]:
    """Verify the big log, the configurations that its events name left out: it holds none."""
    dsn = bench.log

    def run() -> float:
        began = perf_counter()
        report = verify(dsn, blobs=False)
        seconds = perf_counter() - began
        if report.problem is not None or report.events != bench.events:
            raise RuntimeError(f"the log did not verify: {report}")
        return report.events / seconds

    rounds = bench.size(5, 3)
    watch = Load(bench.server.pid)
    samples = in_turns({"ours": run}, rounds, warm_up=False)
    note = bench.per_processor_second(watch, rounds * bench.events)
    ours = median(samples["ours"])
    yield Row(
        f"verify the chain, {bench.events:,} events", Bar(600_000, "events/s"), "events/s", ours,
        value=ours, samples=samples, note=f"in two processes, reading included; {note}",
    )  # fmt: skip
