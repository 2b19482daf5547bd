"""Measuring in turns, and what came of it.

Contenders take many short turns, one way round and then the other, so that whatever else the machine
is doing hits them alike; a ratio is the median of the rounds' own ratios.
"""

from __future__ import annotations

import gc
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from time import perf_counter
from typing import Any, Literal

Verdict = Literal["PASS", "BELOW", "MISSING"]


@dataclass(frozen=True, slots=True)
class Bar:
    """What must be reached: ``value`` at least, or at most. ``unit``: ×, events/s, ms."""

    value: float
    unit: str = "×"
    at_most: bool = False

    def holds(self, value: float) -> bool:
        """Tell whether ``value`` reaches it."""
        return value <= self.value if self.at_most else value >= self.value

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {shown(self.value, self.unit)}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    work: str
    bar: Bar
    unit: str
    ours: float | None = None
    against: str = ""
    """The peer's name; empty where the bar is a figure of its own."""
    peer: float | None = None
    value: float | None = None
    """What is held against the bar: a ratio, or ours."""
    missing: str | None = None
    """Why there is nothing to hold against the bar."""
    note: str = ""
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """Only what was measured can pass."""
        if self.missing is not None or self.value is None:
            return "MISSING"
        return "PASS" if self.bar.holds(self.value) else "BELOW"

    def to_json(self) -> dict[str, Any]:
        """Return it for result.json, with every sample."""
        return {**asdict(self), "verdict": self.verdict}


def compared(
    work: str,
    against: str,
    samples: Mapping[str, Sequence[float]],
    *,
    bar: Bar,
    unit: str,
    peer_over_ours: bool = False,
    missing: str | None = None,
    note: str = "",
) -> Row:
    """Return the row of ours beside a peer, both keys of ``samples``, turn by turn."""
    ours, peers = samples.get("ours", ()), samples.get(against, ())
    if not ours or not peers:
        missing = missing or f"{against} was not measured"
        own = median(ours) if ours else None
        return Row(work, bar, unit, own, against, missing=missing, note=note, samples=samples)
    pairs = zip(ours, peers, strict=True)
    ratios = [p / o if peer_over_ours else o / p for o, p in pairs]
    return Row(
        work, bar, unit, median(ours), against, median(peers), median(ratios), note=note,
        samples={"ours": ours, against: peers, "ratio": ratios},
    )  # fmt: skip


def in_turns(
    contenders: Mapping[str, Callable[[], float]], rounds: int, *, warm_up: bool = True
) -> dict[str, list[float]]:
    """Let each contender run once a round and return its figures, in the order of the rounds."""
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    if warm_up:
        for run in contenders.values():
            run()
    order = list(contenders.items())
    gc.collect()
    for _ in range(rounds):
        for name, run in order:
            figures[name].append(run())
        order.reverse()
    return figures


def rate_of_crowd(steps: Sequence[Callable[[], object]], seconds: float) -> float:
    """Let a thread repeat each of ``steps`` for a while; return steps a second, all together.

    Raises:
        Exception: whatever a step raised first.
    """
    counts = [0] * len(steps)
    failures: list[BaseException] = []
    begin = threading.Barrier(len(steps) + 1)
    over = threading.Event()

    def repeat(number: int, step: Callable[[], object]) -> None:
        begin.wait()
        try:
            while not over.is_set():
                step()
                counts[number] += 1
        except BaseException as failure:  # noqa: BLE001 -- handed to the caller's thread
            failures.append(failure)
            over.set()

    threads = [
        threading.Thread(target=repeat, args=(number, step)) for number, step in enumerate(steps)
    ]
    for thread in threads:
        thread.start()
    begin.wait()
    began = perf_counter()
    over.wait(seconds)
    over.set()
    for thread in threads:
        thread.join()
    taken = perf_counter() - began
    if failures:
        raise failures[0]
    return sum(counts) / taken


def geometric_mean(values: Sequence[float]) -> float:
    """Return the mean that treats twice as fast and half as fast alike."""
    return math.exp(sum(map(math.log, values)) / len(values))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that ``share`` of ``values`` do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def shown(value: float | None, unit: str) -> str:
    """Return ``value`` for a table."""
    if value is None:
        return "–"
    if unit == "×":
        return f"{value:.2f} ×"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}"
