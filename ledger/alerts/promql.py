"""The part of PromQL that works on recorded samples alone. What else there is says that it needs a server.

Evaluation is three-valued. Prometheus filters an element away when a comparison is false, so that
"false" and "there is no such series" look the same, and a series that vanishes looks like recovery. Here an
element carries whether it ``holds``; what is absent is unknown, and so is what a NaN decided (I8). What
holds is what Prometheus 3 would return: tests/differential asks one.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import promql_parser as parser

from ledger.alerts import windows
from ledger.alerts.numbers import AGGREGATIONS, ARITHMETIC, OF_EACH
from ledger.alerts.series import NOT_HELD, SeriesStore, matcher
from ledger.alerts.vectors import (
    COMPARISONS,
    SETS,
    Element,
    Vector,
    aggregated,
    arithmetic,
    as_vector,
    by_key,
    comparison,
    grouping,
    join,
    mapped,
    matching,
)
from ledger.domain.errors import BadInput

LOOKBACK_SECONDS: Final = 300.0


_OPERATORS: Final = {
    "MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moment:
    """What an expression is evaluated over."""

    series: SeriesStore
    at: float
    """Unix seconds."""
    lookback: float = LOOKBACK_SECONDS


Run: TypeAlias = Callable[[Moment], Vector | float]


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression, ready to be evaluated many times."""

    text: str
    metrics: frozenset[str]
    """The metrics that it reads."""
    reach_seconds: float
    """How far back it looks."""
    run: Run

    def evaluate(self, moment: Moment) -> Vector:
        """Return the vector; a scalar is one element without labels.

        Raises:
            EvaluationError: what was measured does not fit the expression, as it would not in Prometheus.
        """
        return as_vector(self.run(moment))


def compile_expression(text: str, where: str = "") -> Expression:
    """Return ``text`` as an expression.

    Raises:
        BadInput: it is no PromQL, or needs a Prometheus server. ``where`` begins the message.
    """
    prefix = f"{where}: " if where else ""
    try:
        tree = parser.parse(text)
    except ValueError as error:
        raise BadInput(f"{prefix}{text!r} is no PromQL: {error}.") from None
    building = _Compiler(f"{prefix}{text!r}")
    run = building.compile(tree)
    return Expression(text, frozenset(building.metrics), building.reach, run)


class _Compiler:
    def __init__(self, message: str) -> None:
        self._told = message
        self.metrics: set[str] = set()
        self.reach = LOOKBACK_SECONDS

    def compile(self, node: Any) -> Run:
        """Return what evaluates ``node``."""
        name = type(node).__name__
        builders: dict[str, Callable[[Any], Run]] = {
            "NumberLiteral": self._number,
            "ParenExpr": lambda node: self.compile(node.expr),
            "UnaryExpr": self._sign,
            "VectorSelector": self._selector,
            "Call": self._call,
            "AggregateExpr": self._aggregation,
            "BinaryExpr": self._binary,
        }
        if name not in builders:
            raise self._unfit({"SubqueryExpr": "a subquery"}.get(name, name))
        return builders[name](node)

    def _unfit(self, what: str) -> BadInput:
        return BadInput(
            f"{self._told} uses {what}, which needs a Prometheus server.",
            hint="Have a server evaluate it: a metric source of the kind prometheus_api",
        )

    def _number(self, node: Any) -> Run:
        value = float(node.val)
        return lambda _: value

    def _sign(self, node: Any) -> Run:
        inner = self.compile(node.expr)
        return lambda moment: mapped(inner(moment), operator.neg)

    def _selector(self, node: Any) -> Run:
        metric, matches, offset = self._place_of(node, 0.0)

        def run(moment: Moment) -> Vector:
            at = moment.at - offset
            elements: Vector = {}
            for series in moment.series.select(metric, matches):
                value = series.newest(at, moment.lookback)
                if value is not None:
                    elements[series.labels] = Element(value, value is not NOT_HELD)
            return elements

        return run

    def _place_of(self, node: Any, range_seconds: float) -> tuple[str, Any, float]:
        if node.at is not None:
            raise self._unfit("the modifier @")
        if node.matchers.or_matchers:
            raise self._unfit("or between matchers")
        tests = [(m.name, _OPERATORS[str(m.op)], m.value) for m in node.matchers.matchers]
        by_name = [test for test in tests if test[0] == "__name__"]
        metric = node.name
        if metric is None:
            if len(by_name) != 1 or by_name[0][1] != "=":
                raise self._unfit("a selector without a metric's name")
            metric = by_name[0][2]
        tests = [test for test in tests if test[0] != "__name__"]
        try:
            matches = matcher(tests)
        except ValueError as problem:
            raise BadInput(f"{self._told}: {problem}.") from None
        offset = node.offset.total_seconds() if node.offset is not None else 0.0
        self.metrics.add(metric)
        self.reach = max(self.reach, offset + (range_seconds or LOOKBACK_SECONDS))
        return metric, matches, offset

    def _call(self, node: Any) -> Run:
        name, arguments = node.func.name, list(node.args)
        if name in {"absent", "absent_over_time"}:
            return self._absent(name, arguments[0])
        if name in OF_EACH:
            inner, function = self.compile(arguments[0]), OF_EACH[name]
            return lambda moment: mapped(inner(moment), function)
        if name not in windows.FUNCTIONS:
            raise self._unfit(f"the function {name}")
        function = windows.FUNCTIONS[name]
        parameter = self.compile(arguments.pop(0)) if name == "quantile_over_time" else None
        if type(arguments[0]).__name__ != "MatrixSelector":
            raise self._unfit("a subquery")
        return self._over_range(arguments[0], function, parameter)

    def _over_range(self, node: Any, function: windows.Function, parameter: Run | None) -> Run:
        seconds = node.range.total_seconds()
        metric, matches, offset = self._place_of(node.vector_selector, seconds)

        def run(moment: Moment) -> Vector:
            end = moment.at - offset
            given = parameter(moment) if parameter is not None else 0.0
            elements: Vector = {}
            for series in moment.series.select(metric, matches):
                times, values = series.window(end - seconds, end)
                if not times:
                    continue
                value = function(
                    windows.Window(times, values, end - seconds, end),
                    given if isinstance(given, float) else 0.0,
                )
                if value is not None:
                    elements[series.labels] = Element(value)
            return elements

        return run

    def _absent(self, name: str, node: Any) -> Run:
        if name == "absent_over_time":
            inner = self._over_range(node, windows.FUNCTIONS["count_over_time"], None)
            selector = node.vector_selector
        else:
            inner, selector = self.compile(node), node
        matchers = getattr(getattr(selector, "matchers", None), "matchers", [])
        named = Counter(m.name for m in matchers)
        labels = tuple(
            sorted((m.name, m.value) for m in matchers
                   if str(m.op) == "MatchOp.Equal" and m.value and named[m.name] == 1
                   and m.name != "__name__")
        )  # fmt: skip

        def run(moment: Moment) -> Vector:
            measured = inner(moment)
            present = not isinstance(measured, dict) or any(e.holds for e in measured.values())
            return {labels: Element(1.0, not present)}

        return run

    def _aggregation(self, node: Any) -> Run:
        name = str(node.op)
        if name not in AGGREGATIONS or node.param is not None:
            raise self._unfit(f"the aggregation {name}")
        inner, function = self.compile(node.expr), AGGREGATIONS[name]
        self._no_names(node.modifier)
        key = grouping(node.modifier)

        return lambda moment: {
            labels: aggregated(function, members)
            for labels, members in by_key(as_vector(inner(moment)), key).items()
        }

    def _no_names(self, modifier: Any) -> None:
        if modifier is not None and "__name__" in modifier.labels:
            raise self._unfit("__name__ as a label")

    def _binary(self, node: Any) -> Run:
        left, right, name = self.compile(node.lhs), self.compile(node.rhs), str(node.op)
        card = str(node.modifier.card) if node.modifier is not None else ""
        if card.endswith(("ManyToOne", "OneToMany")):
            raise self._unfit("group_left or group_right")
        self._no_names(node.modifier.matching if node.modifier is not None else None)
        key = matching(node.modifier)
        if name in SETS:
            combine = SETS[name]
            return lambda moment: combine(as_vector(left(moment)), as_vector(right(moment)), key)
        as_number = bool(node.modifier is not None and node.modifier.return_bool)
        if name in COMPARISONS:
            joined = comparison(COMPARISONS[name], as_number=as_number)
        elif name in ARITHMETIC:
            joined = arithmetic(ARITHMETIC[name])
        else:
            raise self._unfit(f"the operator {name}")
        return lambda moment: join(left(moment), right(moment), key, joined)
