"""Samples in memory, by series, for as long as the longest window needs them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ledger.alerts.regexes import full_match

Labels: TypeAlias = tuple[tuple[str, str], ...]
"""Sorted pairs: the identity of a series within its metric."""
Matches: TypeAlias = Callable[[Mapping[str, str]], bool]

COMPACT_FROM: Final = 512
STALE: Final = float("nan")
"""In the place of a value, known by its identity: there is no such series, until another value comes."""
NOT_HELD: Final = float("nan")
"""In the place of a value: what a recording rule looks for was looked for, and is not so."""


def is_mark(value: float) -> bool:
    """Tell whether ``value`` is none, but says something of its series."""
    return value is STALE or value is NOT_HELD


@dataclass(slots=True)
class Series:
    """One series: times (Unix seconds, ascending) and values side by side."""

    labels: Labels
    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    marked: bool = False
    """Whether `STALE` or `NOT_HELD` may be among the values."""

    def add(self, at: float, value: float) -> None:
        """Take in a sample; one that comes late goes where it belongs, one of the same time replaces."""
        self.marked = self.marked or is_mark(value)
        if not self.times or at > self.times[-1]:
            self.times.append(at)
            self.values.append(value)
            return
        index = bisect_left(self.times, at)
        if self.times[index] == at:
            self.values[index] = value
        else:
            self.times.insert(index, at)
            self.values.insert(index, value)

    def newest(self, at: float, lookback: float) -> float | None:
        """Return the newest value in (at - lookback, at], perhaps `NOT_HELD`; or None."""
        index = bisect_right(self.times, at) - 1
        if index < 0 or self.times[index] <= at - lookback or self.values[index] is STALE:
            return None
        return self.values[index]

    def window(self, start: float, end: float) -> tuple[list[float], list[float]]:
        """Return the times and values in (start, end]."""
        first, last = bisect_right(self.times, start), bisect_right(self.times, end)
        times, values = self.times[first:last], self.values[first:last]
        if not self.marked:
            return times, values
        kept = [pair for pair in zip(times, values, strict=True) if not is_mark(pair[1])]
        return [at for at, _ in kept], [value for _, value in kept]

    def drop_before(self, at: float) -> None:
        """Forget what is older than ``at``, once that is worth the copying."""
        index = bisect_left(self.times, at)
        if index >= COMPACT_FROM or index == len(self.times):
            del self.times[:index]
            del self.values[:index]


class SeriesStore:
    """All series of one system."""

    def __init__(self) -> None:
        self._metrics: dict[str, dict[Labels, Series]] = {}

    def add(self, metric: str, labels: Mapping[str, str] | Labels, at: float, value: float) -> None:
        """Take in one sample. ``at`` is in Unix seconds."""
        key = labels if isinstance(labels, tuple) else tuple(sorted(labels.items()))
        by_labels = self._metrics.setdefault(metric, {})
        series = by_labels.get(key)
        if series is None:
            series = by_labels[key] = Series(key)
        series.add(at, value)

    def replace(self, metric: str, samples: Iterable[tuple[Labels, float]], at: float) -> None:
        """Put ``samples`` in the place of all that is known of ``metric``: a metric of our own."""
        self._metrics[metric] = {labels: Series(labels, [at], [value]) for labels, value in samples}

    def select(self, metric: str, matches: Matches | None = None) -> Iterator[Series]:
        """Yield the series of ``metric`` whose labels ``matches`` lets through."""
        for series in self._metrics.get(metric, {}).values():
            if matches is None or matches(dict(series.labels)):
                yield series

    def metrics(self) -> list[str]:
        """Return the names of the metrics, sorted."""
        return sorted(self._metrics)

    def drop_before(self, at: float) -> None:
        """Forget what is older than ``at``, and series of which nothing is left."""
        for name, by_labels in list(self._metrics.items()):
            for labels, series in list(by_labels.items()):
                series.drop_before(at)
                if not series.times:
                    del by_labels[labels]
            if not by_labels:
                del self._metrics[name]


def matcher(tests: Iterable[tuple[str, str, str]]) -> Matches | None:
    """Return what tells whether labels meet all ``tests``: (label, operator, value), as PromQL has them.

    Raises:
        ValueError: a regular expression is none that RE2 reads.
    """
    wanted = [_test(*test) for test in tests]
    if not wanted:
        return None
    return lambda labels: all(holds(labels.get(name, "")) for name, holds in wanted)


def _test(name: str, operator: str, value: str) -> tuple[str, Callable[[str], bool]]:
    if operator == "=":
        return name, lambda label: label == value
    if operator == "!=":
        return name, lambda label: label != value
    matches = full_match(value)
    if operator == "=~":
        return name, matches
    return name, lambda label: not matches(label)
