"""What a plan asks of single metrics: read from the expressions of its criteria and rules."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from ledger.profiles.phases import Phase
from ledger.profiles.plan import Plan

_TURNED: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "=="}
"""The same comparison read from the other side: 5 < x is x > 5."""
_OPPOSITE: Final = {"<": ">=", ">": "<=", "<=": ">", ">=": "<", "==": "!="}
"""What holds where a rule's condition does not."""
_SAME_SCALE: Final = frozenset(
    {"avg_over_time", "max_over_time", "min_over_time", "last_over_time", "quantile_over_time"}
)
"""Functions whose result is of the metric's own size, so that the number is a line in its chart."""


@dataclass(frozen=True, slots=True)
class Limit:
    """``metric operator value`` is how it should be."""

    metric: str
    operator: str
    value: Decimal
    source: str
    """The criterion or rule that says so."""

    @property
    def more_is_better(self) -> bool | None:
        """Return which way is better; None where the limit does not say."""
        return {">": True, ">=": True, "<": False, "<=": False}.get(self.operator)

    def holds(self, value: Decimal) -> bool:
        """Return whether ``value`` is as it should be."""
        compare = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
                   "==": operator.eq, "!=": operator.ne}[self.operator]  # fmt: skip
        return bool(compare(value, self.value))

    @property
    def text(self) -> str:
        """Return ``≥ 0.58``."""
        sign = {">=": "≥", "<=": "≤", "!=": "≠", "==": "="}.get(self.operator, self.operator)
        return f"{sign} {self.value}"


def limits_of(plan: Plan | None, phase: Phase | None) -> list[Limit]:
    """Return what ``phase``'s criteria, its kill criteria and the plan's rules ask for, in that order."""
    limits: list[Limit] = []
    for criterion in phase.success if phase is not None else ():
        if criterion.expr is not None:
            limits += _in(criterion.expr, criterion.name, good=True)
    for kill in phase.kill if phase is not None else ():
        limits += _in(kill.expr, kill.name, good=False)
    for file in plan.rule_files if plan is not None else ():
        for rule in file.rules:
            limits += _in(rule.expression.text, rule.name, good=False)
    return limits


def limit_for(limits: list[Limit], metric: str) -> Limit | None:
    """Return the first limit of ``metric``: criteria come before rules."""
    return next((limit for limit in limits if limit.metric == metric), None)


def _in(expression: str, source: str, *, good: bool) -> Iterator[Limit]:
    import promql_parser

    # Of a condition that is wanted, each part of an "and" is; of one that is not, no part of an "or".
    joined = "and" if good else "or"
    waiting: list[Any] = [promql_parser.parse(expression)]
    while waiting:
        node = waiting.pop(0)
        kind = type(node).__name__
        if kind == "ParenExpr":
            waiting.insert(0, node.expr)
        elif kind == "BinaryExpr" and str(node.op) == joined:
            waiting[:0] = [node.lhs, node.rhs]
        elif kind == "BinaryExpr" and str(node.op) in _OPPOSITE:
            limit = _compared(node, source)
            if limit is not None:
                yield limit if good else replace(limit, operator=_OPPOSITE[limit.operator])


def _compared(node: Any, source: str) -> Limit | None:
    left, right, operator = node.lhs, node.rhs, str(node.op)
    if type(left).__name__ == "NumberLiteral":
        left, right, operator = right, left, _TURNED[operator]
    metric = _metric(left)
    if metric is None or type(right).__name__ != "NumberLiteral":
        return None
    value = Decimal(repr(float(right.val)))
    shown = value.to_integral_value() if value == value.to_integral_value() else value
    return Limit(metric, operator, shown, source)


def _metric(node: Any) -> str | None:
    """Return the one metric that ``node`` is, on its own scale."""
    kind = type(node).__name__
    if kind == "VectorSelector":
        return str(node.name) if node.name is not None else None
    if kind == "MatrixSelector":
        return _metric(node.vector_selector)
    if kind == "ParenExpr":
        return _metric(node.expr)
    if kind == "Call" and node.func.name in _SAME_SCALE:
        return _metric(list(node.args)[-1])
    return None
