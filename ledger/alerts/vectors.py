"""Vectors whose elements know whether they hold, and how two of them are combined."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from ledger.alerts.series import Labels


class Element(NamedTuple):
    """One element of a vector: its value, and whether the conditions on it hold."""

    value: float
    holds: bool = True


Vector: TypeAlias = dict[Labels, Element]


def _power(base: float, exponent: float) -> float:
    try:
        found = base**exponent
    except (OverflowError, ZeroDivisionError):
        return math.inf
    return found if isinstance(found, float | int) else math.nan


ARITHMETIC: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda a, b: a / b if b else (math.nan if a == 0 or a != a else math.copysign(math.inf, a)),  # noqa: PLR0124 -- NaN is not itself
    "%": lambda a, b: math.fmod(a, b) if b else math.nan,
    "^": _power,
}  # fmt: skip
COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt,
    ">=": operator.ge, "<=": operator.le,
}  # fmt: skip
AGGREGATIONS: Final[Mapping[str, Callable[[list[float]], float]]] = {
    "sum": math.fsum, "min": min, "max": max, "count": lambda values: float(len(values)),
    "avg": lambda values: math.fsum(values) / len(values),
}  # fmt: skip
OF_EACH: Final[Mapping[str, Callable[[float], float]]] = {
    "abs": abs, "ceil": lambda x: float(math.ceil(x)), "floor": lambda x: float(math.floor(x)),
    "sqrt": lambda x: math.sqrt(x) if x >= 0 else math.nan,
}  # fmt: skip


Key: TypeAlias = Callable[[Labels], Labels]
Join: TypeAlias = Callable[[Element, Element, bool], Element | None]


def as_vector(found: Vector | float) -> Vector:
    """Return a scalar as one element without labels."""
    return found if isinstance(found, dict) else {(): Element(found)}


def mapped(found: Vector | float, function: Callable[[float], float]) -> Vector | float:
    """Return what ``function`` makes of each value."""
    if not isinstance(found, dict):
        return function(found)
    return {labels: Element(function(e.value), e.holds) for labels, e in found.items()}


def grouping(modifier: Any) -> Key:
    """Return what gives the labels that an aggregation keeps."""
    if modifier is None:
        return lambda _: ()
    names = frozenset(modifier.labels)
    if str(modifier.type).endswith(".By"):
        return lambda labels: tuple(pair for pair in labels if pair[0] in names)
    return lambda labels: tuple(pair for pair in labels if pair[0] not in names)


def matching(modifier: Any) -> Key:
    """Return what gives the labels by which two vectors are matched."""
    matching = modifier.matching if modifier is not None else None
    if matching is None:
        return lambda labels: labels
    names = frozenset(matching.labels)
    if str(matching.type).endswith(".Include"):
        return lambda labels: tuple(pair for pair in labels if pair[0] in names)
    return lambda labels: tuple(pair for pair in labels if pair[0] not in names)


def arithmetic(function: Callable[[float, float], float]) -> Join:
    """Return what works out one pair."""
    return lambda one, two, _: Element(function(one.value, two.value), one.holds and two.holds)


def comparison(compare: Callable[[float, float], bool], *, as_number: bool) -> Join:
    """Return what compares one pair: the element holds, or does not; NaN tells nothing."""

    def compared(one: Element, two: Element, left_is_vector: bool) -> Element | None:
        if math.isnan(one.value) or math.isnan(two.value):
            return None
        holds = compare(one.value, two.value)
        if as_number:
            return Element(float(holds), one.holds and two.holds)
        value = one.value if left_is_vector else two.value
        return Element(value, holds and one.holds and two.holds)

    return compared


def join(left: Vector | float, right: Vector | float, key: Key, join: Join) -> Vector | float:
    """Combine two vectors, or one and a scalar, or two scalars, pair by pair."""
    if isinstance(left, dict) and isinstance(right, dict):
        return _joined(
            ((labels, element, two) for labels, element, two in _pairs(left, right, key)), join
        )
    if isinstance(left, dict):
        constant = Element(right) if isinstance(right, float) else Element(math.nan)
        return _joined(((labels, e, constant) for labels, e in left.items()), join)
    if isinstance(right, dict):
        constant = Element(left)
        made = {labels: join(constant, e, False) for labels, e in right.items()}
        return {labels: e for labels, e in made.items() if e is not None}
    found = join(Element(left), Element(right), True)
    return found.value if found is not None else math.nan


def _joined(pairs: Iterable[tuple[Labels, Element, Element]], join: Join) -> Vector:
    made = ((labels, join(one, two, True)) for labels, one, two in pairs)
    return {labels: element for labels, element in made if element is not None}


def _pairs(left: Vector, right: Vector, key: Key) -> Iterable[tuple[Labels, Element, Element]]:
    by_key = {key(labels): element for labels, element in right.items()}
    for labels, element in left.items():
        two = by_key.get(key(labels))
        if two is not None:
            yield key(labels), element, two


def _by_key(vector: Vector, key: Key) -> dict[Labels, list[tuple[Labels, Element]]]:
    found: dict[Labels, list[tuple[Labels, Element]]] = {}
    for labels, element in vector.items():
        found.setdefault(key(labels), []).append((labels, element))
    return found


def _and(left: Vector, right: Vector, key: Key) -> Vector:
    """What is known to be false on the left is false; what has no partner is unknown."""
    partners = _by_key(right, key)
    made: Vector = {}
    for labels, element in left.items():
        others = partners.get(key(labels))
        if not element.holds:
            made[labels] = element
        elif others is not None:
            made[labels] = Element(element.value, any(e.holds for _, e in others))
    return made


def _or(left: Vector, right: Vector, key: Key) -> Vector:
    partners = _by_key(right, key)
    made: Vector = {}
    taken: set[Labels] = set()
    for labels, element in left.items():
        others = partners.get(key(labels), [])
        if element.holds:
            taken.add(key(labels))
            made[labels] = element
        elif not others:
            made[labels] = element
    for group, elements in partners.items():
        if group not in taken:
            made.update(elements)
    return made


def _unless(left: Vector, right: Vector, key: Key) -> Vector:
    partners = _by_key(right, key)
    return {
        labels: Element(
            e.value, e.holds and not any(o.holds for _, o in partners.get(key(labels), []))
        )
        for labels, e in left.items()
    }


SETS: Final[Mapping[str, Callable[[Vector, Vector, Key], Vector]]] = {
    "and": _and, "or": _or, "unless": _unless,
}  # fmt: skip
