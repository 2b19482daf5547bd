"""What it was measured on, and how much of the machine others took meanwhile."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Final

_TICK: Final = os.sysconf("SC_CLK_TCK")
FLUSHES: Final = 50


def describe(folder: Path) -> str:
    """Return a line about processor, memory, system and the disk under ``folder``."""
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} × {_processor()}, {gigabytes:.0f} GiB, {platform.system()} "
        f"{platform.release()}, fdatasync {flush_microseconds(folder):.0f} µs"
    )


def versions() -> str:
    """Return a line about the programs on our side."""
    names = ("rollout-ledger", "psycopg", "duckdb", "pydantic")
    python = ".".join(map(str, sys.version_info[:3]))
    return ", ".join([f"Python {python}", *(f"{name} {version(name)}" for name in names)])


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def flush_microseconds(folder: Path) -> float:
    """Return how long the disk under ``folder`` takes to make 8 KiB durable, the median of some."""
    path = folder / "flush"
    times: list[float] = []
    with path.open("wb") as file:
        for _ in range(FLUSHES):
            file.write(bytes(8192))
            file.flush()
            began = time.perf_counter()
            getattr(os, "fdatasync", os.fsync)(file.fileno())
            times.append((time.perf_counter() - began) * 1e6)
    path.unlink()
    return median(times)


@dataclass(frozen=True, slots=True)
class _Usage:
    ours: int
    """Ticks of this process, the server, and all below them, the dead ones included."""
    busy: int
    """Ticks of the whole machine that were not idle."""
    all: int


class Load:
    """How busy others kept the machine between two moments. Linux only; elsewhere it knows nothing."""

    def __init__(self, server_pid: int | None) -> None:
        self._roots = [os.getpid(), *([server_pid] if server_pid else [])]
        self._begin = self._now()

    def ours_seconds(self) -> float | None:
        """Return the processor time that the bench and the server have used since this was made."""
        end = self._now()
        if self._begin is None or end is None:
            return None
        return (end.ours - self._begin.ours) / _TICK

    def others(self) -> float | None:
        """Return the share of the processors, 0 … 1, that went to others since this was made."""
        end = self._now()
        if self._begin is None or end is None or end.all == self._begin.all:
            return None
        busy = (end.busy - self._begin.busy) - (end.ours - self._begin.ours)
        return min(1.0, max(0.0, busy / (end.all - self._begin.all)))

    def _now(self) -> _Usage | None:
        try:
            with open("/proc/stat", encoding="ascii") as file:  # noqa: PTH123 -- one line of many
                counts = [int(word) for word in file.readline().split()[1:9]]
            ours = sum(sum(_ticks(pid)) for root in self._roots for pid in processes_under(root))
        except OSError:
            return None
        return _Usage(ours, sum(counts) - counts[3] - counts[4], sum(counts))


class Effort:
    """Adds up the processor time of each contender's turns, the server's included, per event.

    The rates of a turn hang on what else runs; the work that it is to the processors does so less.
    """

    def __init__(self, server_pid: int | None) -> None:
        self._watch = Load(server_pid)
        self._seconds: dict[str, float] = {}
        self._events: dict[str, float] = {}

    def of(self, name: str, run: Callable[[], float]) -> Callable[[], float]:
        """Return ``run``, which gives events a second, with its effort added up under ``name``."""

        def turn() -> float:
            began, used = time.perf_counter(), self._watch.ours_seconds() or 0.0
            rate = run()
            used = (self._watch.ours_seconds() or 0.0) - used
            self._seconds[name] = self._seconds.get(name, 0.0) + used
            self._events[name] = self._events.get(name, 0.0) + rate * (time.perf_counter() - began)
            return rate

        return turn

    def __str__(self) -> str:
        each = {name: s / self._events[name] * 1e6 for name, s in self._seconds.items() if s}
        told = ", ".join(f"{name} {microseconds:.0f} µs" for name, microseconds in each.items())
        return f"processor time of an event: {told}" if told else ""


def _ticks(pid: int) -> tuple[int, ...]:
    """Return what a process and its dead children have used: user and system, own and theirs."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return (0,)
    return tuple(int(word) for word in stat.rpartition(")")[2].split()[11:15])


def processes_under(pid: int) -> Iterator[int]:
    """Yield ``pid`` and every process below it. Linux only."""
    yield pid
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [word for task in tasks for word in (task / "children").read_text().split()]
    except OSError:
        return
    for child in children:
        yield from processes_under(int(child))


def peak_memory(pid: int) -> int | None:
    """Return the most memory that a process has held so far, in bytes; None if it can't be told."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None
