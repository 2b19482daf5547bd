"""Vectors whose elements know whether they hold, and how two of them are combined.

What holds is what Prometheus would return. What does not is known to be false, or nobody can tell, because a
NaN decided it (I8).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from ledger.alerts.series import Labels


class EvaluationError(Exception):
    """Prometheus would not evaluate this either: what was measured does not fit the expression."""


class Element(NamedTuple):
    """One element of a vector: its value, and whether the conditions on it hold."""

    value: float
    holds: bool = True
    known: bool = True
    """Whether numbers decided that, and no NaN."""

    @property
    def false(self) -> bool:
        """Whether it is known not to hold."""
        return self.known and not self.holds


Vector: TypeAlias = dict[Labels, Element]


COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt,
    ">=": operator.ge, "<=": operator.le,
}  # fmt: skip


Key: TypeAlias = Callable[[Labels], Labels]
Join: TypeAlias = Callable[[Element, Element, bool], Element]


def as_vector(operand: Vector | float) -> Vector:
    """Return a scalar as one element without labels."""
    return operand if isinstance(operand, dict) else {(): Element(operand)}


def shown(labels: Labels) -> str:
    """Return labels as PromQL writes them."""
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels) + "}"


def mapped(operand: Vector | float, function: Callable[[float], float]) -> Vector | float:
    """Return what ``function`` makes of each value."""
    if not isinstance(operand, dict):
        return function(operand)
    return {labels: Element(function(e.value), e.holds, e.known) for labels, e in operand.items()}


def merged(elements: Iterable[tuple[Labels, Labels, Element]], problem: str | None) -> Vector:
    """Return elements by the labels that they get: (before, after, element).

    Where several get the same, the one that holds is it; of those that don't, one that can't be told.

    Raises:
        EvaluationError: two hold. ``problem`` begins the message; without one the last of them is taken.
    """
    made: Vector = {}
    held: dict[Labels, Labels] = {}
    for before, after, element in elements:
        if not element.holds:
            earlier = made.get(after)
            if earlier is None or earlier.false:
                made[after] = element
            continue
        if after in held and problem is not None:
            raise EvaluationError(f"{problem}: {shown(held[after])} and {shown(before)}")
        held[after] = before
        made[after] = element
    return made


def grouping(modifier: Any) -> Key:
    """Return what gives the labels that an aggregation keeps."""
    return _of_names(modifier, ".By") if modifier is not None else lambda _: ()


def matching(modifier: Any) -> Key:
    """Return what gives the labels by which two vectors are matched."""
    matching = modifier.matching if modifier is not None else None
    return _of_names(matching, ".Include") if matching is not None else lambda labels: labels


def _of_names(modifier: Any, including: str) -> Key:
    """Return what gives the labels that a modifier names; all others, where its type is another one."""
    names, inside = frozenset(modifier.labels), str(modifier.type).endswith(including)
    return lambda labels: tuple(pair for pair in labels if (pair[0] in names) is inside)


def _known(one: Element, two: Element) -> bool:
    """Tell whether it is known if a pair holds: one that is false decides it alone."""
    return (one.known and two.known) or one.false or two.false


def arithmetic(function: Callable[[float, float], float]) -> Join:
    """Return what works out one pair."""

    def computed(one: Element, two: Element, _: bool) -> Element:
        value = function(one.value, two.value)
        return Element(value, one.holds and two.holds, _known(one, two))

    return computed


def comparison(compare: Callable[[float, float], bool], *, as_number: bool) -> Join:
    """Return what compares one pair: the element holds, or does not, or NaN keeps that from being known."""

    def compared(one: Element, two: Element, left_is_vector: bool) -> Element:
        holds = compare(one.value, two.value)
        both = one.holds and two.holds
        blind = both and (math.isnan(one.value) or math.isnan(two.value))
        is_known = _known(one, two) and not blind
        if as_number:
            return Element(float(holds), both, is_known)
        return Element(one.value if left_is_vector else two.value, holds and both, is_known)

    return compared


def join(left: Vector | float, right: Vector | float, key: Key, join: Join) -> Vector | float:
    """Combine two vectors, or one and a scalar, or two scalars, pair by pair.

    Raises:
        EvaluationError: on either side, several have the labels that one is matched by.
    """
    if isinstance(left, dict) and isinstance(right, dict):
        return _joined(left, right, key, join)
    if isinstance(left, dict):
        constant = Element(right) if isinstance(right, float) else Element(math.nan)
        return {labels: join(e, constant, True) for labels, e in left.items()}
    constant = Element(left)
    if isinstance(right, dict):
        return {labels: join(constant, e, False) for labels, e in right.items()}
    return join(constant, Element(right), True).value


def _joined(left: Vector, right: Vector, key: Key, join: Join) -> Vector:
    partners = merged(
        ((labels, key(labels), element) for labels, element in right.items()),
        "several on the right have the labels that one is matched by"
        if any(element.holds for element in left.values())
        else None,  # nothing is matched, and so nothing is ambiguous
    )
    pairs = ((labels, key(labels), element) for labels, element in left.items())
    return merged(
        ((labels, matched, join(element, partners[matched], True))
         for labels, matched, element in pairs if matched in partners),
        "several on the left have the labels that one is matched by",
    )  # fmt: skip


def aggregated(function: Callable[[Sequence[float]], float], members: Iterable[Element]) -> Element:
    """Return what ``function`` makes of the members of a group that hold."""
    members = tuple(members)
    values = [element.value for element in members if element.holds]
    is_known = all(element.known for element in members) and not any(map(math.isnan, values))
    return Element(function(values) if values else 0.0, bool(values), is_known)


def by_key(vector: Vector, key: Key) -> dict[Labels, list[Element]]:
    """Return the elements of each group that ``key`` makes of their labels."""
    groups: dict[Labels, list[Element]] = {}
    for labels, element in vector.items():
        groups.setdefault(key(labels), []).append(element)
    return groups


def _and(left: Vector, right: Vector, key: Key) -> Vector:
    """What is known to be false on the left is false; what has no partner is unknown."""
    partners = by_key(right, key)
    made: Vector = {}
    for labels, element in left.items():
        others = partners.get(key(labels))
        if not element.holds:
            made[labels] = element
        elif others is not None:
            holds = any(e.holds for e in others)
            is_known = element.known and all(e.known for e in others)
            made[labels] = Element(element.value, holds, is_known)
    return made


def _or(left: Vector, right: Vector, key: Key) -> Vector:
    """What does not hold on the left is the right's, and stays known where the right has nothing to say."""
    taken = {key(labels) for labels, element in left.items() if element.holds}
    made = dict(left)
    for labels, element in right.items():
        other = made.get(labels)
        free = key(labels) not in taken
        holds = element.holds and free
        if other is None or (holds and not other.holds):
            made[labels] = Element(element.value, holds, element.known or not free)
        elif not other.holds:
            made[labels] = other._replace(known=other.known and element.known)
    return made


def _unless(left: Vector, right: Vector, key: Key) -> Vector:
    partners = by_key(right, key)
    return {
        labels: e._replace(
            holds=e.holds and not any(o.holds for o in partners.get(key(labels), []))
        )
        for labels, e in left.items()
    }


SETS: Final[Mapping[str, Callable[[Vector, Vector, Key], Vector]]] = {
    "and": _and, "or": _or, "unless": _unless,
}  # fmt: skip
