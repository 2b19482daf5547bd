"""Functions over a range of samples, as Prometheus 3 has them (promql/functions.go)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias


class Window(NamedTuple):
    """The samples in (start, end]: times in Unix seconds, ascending, and values."""

    times: list[float]
    values: list[float]
    start: float
    end: float


Function: TypeAlias = Callable[[Window, float], float | None]


def _extrapolated(window: Window, *, counter: bool, per_second: bool) -> float | None:
    """Return how much the value grew over the window, stretched to its ends as far as is fair."""
    times, values, start, end = window
    if len(times) < 2:
        return None
    grown = values[-1] - values[0]
    if counter:
        grown += sum(a for a, b in pairwise(values) if b < a)
    sampled = times[-1] - times[0]
    between = sampled / (len(times) - 1)
    to_start, to_end = times[0] - start, end - times[-1]
    threshold = between * 1.1
    if to_start >= threshold:
        to_start = between / 2
    if counter and grown > 0 and values[0] >= 0:
        to_start = min(to_start, sampled * (values[0] / grown))  # a counter was never below zero
    if to_end >= threshold:
        to_end = between / 2
    factor = (sampled + to_start + to_end) / sampled
    if per_second:
        factor /= end - start
    return grown * factor


def _quantile(values: list[float], wanted: float) -> float:
    if math.isnan(wanted):
        return math.nan
    if wanted < 0 or wanted > 1:
        return math.copysign(math.inf, wanted - 0.5)
    ordered = sorted(values)
    rank = wanted * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] * (1 - (rank - low)) + ordered[high] * (rank - low)


def _variance(values: list[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / len(values)


FUNCTIONS: Final[Mapping[str, Function]] = {
    "avg_over_time": lambda w, _: math.fsum(w.values) / len(w.values),
    "sum_over_time": lambda w, _: math.fsum(w.values),
    "min_over_time": lambda w, _: min(w.values),
    "max_over_time": lambda w, _: max(w.values),
    "last_over_time": lambda w, _: w.values[-1],
    "count_over_time": lambda w, _: float(len(w.values)),
    "present_over_time": lambda _w, _: 1.0,
    "stddev_over_time": lambda w, _: math.sqrt(_variance(w.values)),
    "stdvar_over_time": lambda w, _: _variance(w.values),
    "quantile_over_time": lambda w, wanted: _quantile(w.values, wanted),
    "increase": lambda w, _: _extrapolated(w, counter=True, per_second=False),
    "rate": lambda w, _: _extrapolated(w, counter=True, per_second=True),
    "delta": lambda w, _: _extrapolated(w, counter=False, per_second=False),
    "changes": lambda w, _: float(sum(a != b for a, b in pairwise(w.values))),
    "resets": lambda w, _: float(sum(b < a for a, b in pairwise(w.values))),
}
