"""Arithmetic as Prometheus does it, on ±Inf and NaN too; it never raises (promql/functions.go)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final


def _quotient(a: float, b: float) -> float:
    if b:
        return a / b
    if a == 0 or math.isnan(a):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1, b)


def _remainder(a: float, b: float) -> float:
    return math.fmod(a, b) if b and math.isfinite(a) else math.nan


def _power(base: float, exponent: float) -> float:
    negative = math.copysign(1, base) < 0 and exponent % 2 == 1
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if negative else math.inf
    except ValueError:  # a root of what is negative; or 0 to a negative power, which has no bound
        return math.nan if base else (-math.inf if negative else math.inf)


def _rounded(to: Callable[[float], int]) -> Callable[[float], float]:
    def rounded(value: float) -> float:
        return math.copysign(float(to(value)), value) if math.isfinite(value) else value

    return rounded


ARITHMETIC: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b,
    "/": _quotient, "%": _remainder, "^": _power,
}  # fmt: skip
OF_EACH: Final[Mapping[str, Callable[[float], float]]] = {
    "abs": abs, "ceil": _rounded(math.ceil), "floor": _rounded(math.floor),
    "sqrt": lambda x: math.sqrt(x) if x >= 0 else math.nan,
}  # fmt: skip


def _added(amount: float, total: float, lost: float) -> tuple[float, float]:
    """Add ``amount`` to ``total``; ``lost`` is what the rounding took so far (Kahan, Neumaier)."""
    together = total + amount
    if abs(total) >= abs(amount):
        lost += (total - together) + amount
    else:
        lost += (amount - together) + total
    return together, lost


def added(values: Sequence[float]) -> float:
    """Return the sum. Infinities of both signs, or a NaN, make it NaN."""
    total = lost = 0.0
    for value in values:
        total, lost = _added(value, total, lost)
    return total if math.isinf(total) else total + lost


def mean(values: Sequence[float]) -> float:
    """Return the mean, which does not overflow where the sum would."""
    total = lost = 0.0
    for number, value in enumerate(values, start=1):
        same = math.isinf(value) and (total > 0) == (value > 0)
        if math.isinf(total) and (same or math.isfinite(value)):
            continue
        total, lost = _added(value / number - total / number, total, lost)
    return total if math.isinf(total) else total + lost


def smallest(values: Sequence[float]) -> float:
    """Return the smallest number; NaN only where there is none."""
    return min((value for value in values if not math.isnan(value)), default=math.nan)


def largest(values: Sequence[float]) -> float:
    """Return the largest number; NaN only where there is none."""
    return max((value for value in values if not math.isnan(value)), default=math.nan)


def variance(values: Sequence[float]) -> float:
    """Return the variance of the whole population."""
    middle = middle_lost = squares = squares_lost = 0.0
    for number, value in enumerate(values, start=1):
        off = value - (middle + middle_lost)
        middle, middle_lost = _added(off / number, middle, middle_lost)
        further = off * (value - (middle + middle_lost))
        squares, squares_lost = _added(further, squares, squares_lost)
    return (squares + squares_lost) / len(values)


def quantile(values: Sequence[float], wanted: float) -> float:
    """Return the quantile, between two values where it lies between them; a NaN is less than any number."""
    if math.isnan(wanted):
        return math.nan
    if wanted < 0 or wanted > 1:
        return math.copysign(math.inf, wanted - 0.5)
    ordered = sorted(values, key=lambda value: (not math.isnan(value), value))
    rank = wanted * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] * (1 - (rank - low)) + ordered[high] * (rank - low)


def changes(values: Sequence[float]) -> float:
    """Return how often the value became another one; from NaN to NaN is no change."""
    return float(sum(a != b and not (math.isnan(a) and math.isnan(b)) for a, b in pairwise(values)))


def resets(values: Sequence[float]) -> float:
    """Return how often a counter fell."""
    return float(sum(b < a for a, b in pairwise(values)))


AGGREGATIONS: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "sum": added, "avg": mean, "min": smallest, "max": largest,
    "count": lambda values: float(len(values)),
}  # fmt: skip
