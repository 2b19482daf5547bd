"""Functions over a range of samples, as Prometheus 3 has them (promql/functions.go)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

from ledger.alerts import numbers


class Window(NamedTuple):
    """The samples in (start, end]: times in Unix seconds, ascending, and values."""

    times: list[float]
    values: list[float]
    start: float
    end: float


Function: TypeAlias = Callable[[Window, float], float | None]


FAIR: Final = 1.1
"""So many times the usual distance of two samples, an edge of the window may be away from the next one."""


def before_first(gap: float, between: float, to_zero: float) -> float:
    """Return how far back from the first sample growth is assumed: at most to where a counter was zero."""
    return min(gap if gap < between * FAIR else between / 2, to_zero)


def _extrapolated(window: Window, *, counter: bool, per_second: bool) -> float | None:
    """Return how much the value grew over the window, stretched to its ends as far as is fair."""
    times, values, start, end = window
    if len(times) < 2:
        return None
    grown = values[-1] - values[0]
    if counter:
        for before, after in pairwise(
            values
        ):  # one by one: infinities and what is huge depend on it
            grown += before if after < before else 0.0
    sampled = times[-1] - times[0]
    between = sampled / (len(times) - 1)
    to_zero = math.inf
    if counter and grown > 0 and values[0] >= 0:
        to_zero = sampled * (values[0] / grown)  # a counter was never below zero
    to_start = before_first(times[0] - start, between, to_zero)
    to_end = end - times[-1]
    if to_end >= between * FAIR:
        to_end = between / 2
    factor = (sampled + to_start + to_end) / sampled
    if per_second:
        factor /= end - start
    return grown * factor


FUNCTIONS: Final[Mapping[str, Function]] = {
    "avg_over_time": lambda w, _: numbers.mean(w.values),
    "sum_over_time": lambda w, _: numbers.added(w.values),
    "min_over_time": lambda w, _: numbers.smallest(w.values),
    "max_over_time": lambda w, _: numbers.largest(w.values),
    "last_over_time": lambda w, _: w.values[-1],
    "count_over_time": lambda w, _: float(len(w.values)),
    "present_over_time": lambda _w, _: 1.0,
    "stddev_over_time": lambda w, _: math.sqrt(numbers.variance(w.values)),
    "stdvar_over_time": lambda w, _: numbers.variance(w.values),
    "quantile_over_time": lambda w, wanted: numbers.quantile(w.values, wanted),
    "increase": lambda w, _: _extrapolated(w, counter=True, per_second=False),
    "rate": lambda w, _: _extrapolated(w, counter=True, per_second=True),
    "delta": lambda w, _: _extrapolated(w, counter=False, per_second=False),
    "changes": lambda w, _: numbers.changes(w.values),
    "resets": lambda w, _: numbers.resets(w.values),
}
