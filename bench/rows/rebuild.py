"""Rebuild every projection from position 1; the memory that it takes must not grow with the log."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from bench.context import Bench
from bench.hardware import Load, peak_memory, processes_under
from bench.measure import Bar, Row

MEGABYTE = 2**20
LOOK_EVERY_SECONDS = 0.02


def measure(bench: Bench) -> Iterator[Row]:
    """Rebuild the big log's read models, and those of a log of a quarter of its length."""
    small_size, rounds = bench.events // 4, bench.size(3, 1)
    small_dsn = bench.filled(small_size)
    smalls = [_rebuild(small_dsn, small_size) for _ in range(rounds)]
    bench.server.drop(small_dsn)
    dsn, watch = bench.log, Load(bench.server.pid)
    bigs = [_rebuild(dsn, bench.events) for _ in range(rounds)]
    note = bench.per_processor_second(watch, rounds * bench.events)
    rates = [rebuilt.rate for rebuilt in bigs]
    yield Row(
        f"rebuild every projection, {bench.events:,} events", Bar(100_000, "events/s"), "events/s",
        median(rates), value=median(rates), samples={"ours": rates},
        note=f"in two processes, indexes included; {note}",
    )  # fmt: skip
    work = f"  its peak memory, at {bench.events:,} events"
    bar = Bar(1.25, at_most=True)
    few = [rebuilt.memory for rebuilt in smalls]
    many = [rebuilt.memory for rebuilt in bigs]
    if not all(few) or not all(many):
        yield Row(work, bar, "MB", missing="a process's peak memory can be told on Linux only")
        return
    yield Row(
        work, bar, "MB", median(many) / MEGABYTE, f"at {small_size:,} events",
        median(few) / MEGABYTE, median(many) / median(few), samples={"ours": many, "small": few},
        note="of all its processes together",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Rebuilt:
    rate: float
    memory: int
    """The sum of what each process held at most, in bytes; 0 if that can't be told."""


def _rebuild(dsn: str, events: int) -> _Rebuilt:
    peaks: dict[int, int] = {}
    words = [sys.executable, "-m", "bench.rebuild_worker", dsn]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    while process.poll() is None:
        for pid in processes_under(process.pid):
            peak = peak_memory(pid)
            if peak is not None:
                peaks[pid] = max(peak, peaks.get(pid, 0))
        time.sleep(LOOK_EVERY_SECONDS)
    assert process.stdout is not None
    answer = process.stdout.read()
    if process.returncode != 0:
        raise RuntimeError(f"the rebuild ended with {process.returncode}")
    return _Rebuilt(events / float(answer), sum(peaks.values()))
