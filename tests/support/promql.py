"""Random PromQL of the part that we promise, and random samples to put it to."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import Final

from tests.support.prometheus import Labels, Point

START: Final = 1_750_000_000
SPAN: Final = 2400
"""Seconds of samples."""
EVERY: Final = 15
OFF: Final = 3.217
"""No sample lies on a whole second: where a window ends is the one thing that differs by version."""
VENUES: Final = ("okx", "binance", "bybit")
SIDES: Final = ("buy", "sell")
FULL: Final = tuple((("side", s), ("venue", v)) for v in VENUES for s in SIDES)
METRICS: Final[dict[str, tuple[Labels, ...]]] = {
    "gauge": FULL,
    "odd": FULL,
    "orders_total": FULL,
    "fills_total": tuple((("venue", v),) for v in VENUES),
    "limits": tuple((("venue", v),) for v in VENUES),
    "equity": ((),),
}
RANGES: Final = (
    "avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "count_over_time",
    "last_over_time", "stddev_over_time", "stdvar_over_time", "present_over_time", "rate",
    "increase", "delta", "changes", "resets",
)  # fmt: skip
ARITHMETIC: Final = ("+", "-", "*", "/", "%", "^")
COMPARISONS: Final = ("==", "!=", ">", "<", ">=", "<=")
NUMBERS: Final = (
    "0", "1", "2", "0.5", "3", "10", "50", "100", "1e3", "-1", "-2.5", "NaN", "Inf", "-Inf",
)  # fmt: skip


def points(chance: random.Random) -> Iterator[Point]:
    """Yield samples: gauges, counters that are reset, NaN and infinities, with gaps and without end."""
    for metric, all_labels in METRICS.items():
        for labels in all_labels:
            value = float(chance.choice((0, 1, 5, 50)))
            gone_until = -1
            begins = chance.choice((0, 0, 0, 600, SPAN))
            for second in range(begins, SPAN, EVERY):
                value = _next(metric, value, chance)
                if second < gone_until:
                    continue
                if chance.random() < 0.02:
                    gone_until = second + chance.choice((30, 90, 200, 420))
                    continue
                jitter = chance.randrange(400) / 1000
                yield Point(metric, labels, round(START + second + OFF + jitter, 3), value)


def _next(metric: str, value: float, chance: random.Random) -> float:
    if metric.endswith("_total"):
        if not math.isfinite(value) or chance.random() < 0.05:
            return float(chance.randrange(3))
        return value + chance.randrange(8)
    if metric == "odd":
        strange = (math.nan, math.nan, math.inf, -math.inf, 0.0, -0.0, 1e308, -1e308, 1e-310)
        return chance.choice(strange) if chance.random() < 0.5 else chance.randrange(-60, 60) / 2
    if metric == "limits":
        return float(chance.choice((20, 30, 40)))
    return (value if math.isfinite(value) else 0.0) + chance.randrange(-12, 13)


class Questions:
    """Makes expressions, each by chance."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def expression(self) -> str:
        """Return one that an alert could go by."""
        return self._vector(self._chance.choice((1, 2, 2, 3, 3, 4)))

    def _one(self, *makers: Callable[[int], str], depth: int) -> str:
        return self._chance.choice(makers)(depth)

    def _vector(self, depth: int) -> str:
        if depth <= 0:
            return self._one(self._selector, self._selector, self._windowed, depth=0)
        return self._one(
            self._selector, self._windowed, self._of_each, self._aggregated, self._negative,
            self._with_number, self._with_number, self._compared, self._compared, self._joined,
            self._joined, self._both, self._both, self._absent, depth=depth - 1,
        )  # fmt: skip

    def _matchers(self, metric: str) -> str:
        made: list[str] = []
        if self._chance.random() < 0.4:
            made.append(self._chance.choice((
                'venue="okx"', 'venue!="okx"', 'venue=~"b.*"', 'venue!~"o|by.*"', 'venue=~".+"',
                'venue=""', 'nosuch=""', r'venue=~"\\pL+\\z"', 'venue=~"[[:alpha:]]+"',
            )))  # fmt: skip
        if self._chance.random() < 0.2:
            made.append(self._chance.choice(('side="buy"', 'side=~"se.{2}"', 'side!=""')))
        return f"{metric}{{{', '.join(made)}}}" if made else metric

    def _metric(self) -> str:
        return self._chance.choice((*METRICS, *METRICS, "nosuch"))

    def _offset(self) -> str:
        return (
            f" offset {self._chance.choice(('1m', '5m', '90s'))}"
            if self._chance.random() < 0.15
            else ""
        )

    def _selector(self, _: int) -> str:
        return self._matchers(self._metric()) + self._offset()

    def _range(self) -> str:
        length = self._chance.choice(("20s", "1m", "2m30s", "5m", "20m"))
        return f"{self._matchers(self._metric())}[{length}]{self._offset()}"

    def _windowed(self, _: int) -> str:
        if self._chance.random() < 0.1:
            return f"quantile_over_time({self._scalar(1)}, {self._range()})"
        return f"{self._chance.choice(RANGES)}({self._range()})"

    def _of_each(self, depth: int) -> str:
        return f"{self._chance.choice(('abs', 'ceil', 'floor', 'sqrt'))}({self._vector(depth)})"

    def _aggregated(self, depth: int) -> str:
        name = self._chance.choice(("sum", "avg", "min", "max", "count"))
        by = self._chance.choice(
            ("", "", " by (venue)", " by (side)", " without (side)", " by (venue, nosuch)")
        )
        return f"{name}{by} ({self._vector(depth)})"

    def _negative(self, depth: int) -> str:
        return f"-{self._operand(depth)}"

    def _operand(self, depth: int) -> str:
        inner = self._vector(depth)
        return inner if self._chance.random() < 0.3 else f"({inner})"

    def _scalar(self, depth: int) -> str:
        number = self._chance.choice(NUMBERS)
        if depth <= 0 or self._chance.random() < 0.7:
            return number
        operator = self._chance.choice((*ARITHMETIC, "> bool", "== bool"))
        return f"({number} {operator} {self._scalar(depth - 1)})"

    def _either_way(self, left: str, operator: str, right: str) -> str:
        sides = (left, right) if self._chance.random() < 0.7 else (right, left)
        return f"{sides[0]} {operator} {sides[1]}"

    def _with_number(self, depth: int) -> str:
        operator = self._chance.choice(ARITHMETIC)
        operand = self._selector(0) if operator == "%" else self._operand(depth)
        return self._either_way(operand, operator, self._scalar(depth))

    def _comparison(self) -> str:
        bool_ = " bool" if self._chance.random() < 0.3 else ""
        return f"{self._chance.choice(COMPARISONS)}{bool_}"

    def _compared(self, depth: int) -> str:
        return self._either_way(self._operand(depth), self._comparison(), self._scalar(depth))

    def _matching(self) -> str:
        return self._chance.choice(
            (
                "",
                "",
                " on (venue)",
                " on (venue)",
                " ignoring (side)",
                " on ()",
                " on (venue, side)",
            )
        )

    def _joined(self, depth: int) -> str:
        operator = self._chance.choice((self._comparison(), self._chance.choice(ARITHMETIC)))
        exact = operator == "%"  # of a remainder the last digit may be all
        left, right = (self._selector(0) if exact else self._operand(depth) for _ in range(2))
        return f"{left} {operator}{self._matching()} {right}"

    def _both(self, depth: int) -> str:
        operator = self._chance.choice(("and", "or", "unless"))
        return f"{self._operand(depth)} {operator}{self._matching()} {self._operand(depth)}"

    def _absent(self, depth: int) -> str:
        if self._chance.random() < 0.4:
            return f"absent_over_time({self._range()})"
        return f"absent({self._vector(min(depth, 1))})"
