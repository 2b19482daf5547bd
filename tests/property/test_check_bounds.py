"""Bounds, sizes, ages: every number falls on one side, and an independent rule agrees."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import cast

from hypothesis import given, strategies as st

from ledger.domain.values.fingerprints import Value, flatten, leaf_text
from ledger.preflight.fields import Bounds, parse_size
from ledger.preflight.finding import Result
from ledger.preflight.judging import judged, judged_age, nodes, number_in, number_text

numbers = st.decimals(
    allow_nan=False, allow_infinity=False, places=3, min_value=-999, max_value=999
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-999, 999) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.lists(numbers, min_size=4, max_size=4).map(sorted), numbers)
def test_every_number_is_in_one_band(edges: list[Decimal], value: Decimal) -> None:
    """min <= warn_min <= warn_max <= max: outside FAIL, between WARN, within PASS, edges inwards."""
    low, warn_low, warn_high, high = edges
    bounds = Bounds(min=low, max=high, warn_min=warn_low, warn_max=warn_high)
    expected = Result.PASS
    if value not in _between(low, high, value):
        expected = Result.FAIL
    elif value not in _between(warn_low, warn_high, value):
        expected = Result.WARN
    assert judged(value, bounds) is expected


@given(numbers, st.sampled_from(["min", "max", "warn_min", "warn_max"]))
def test_the_bound_itself_is_within(bound: Decimal, name: str) -> None:
    assert judged(bound, Bounds.model_validate({name: bound})) is Result.PASS


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.integers(1, 10**6))
def test_ages_are_judged_as_numbers_are(age: int, limit: int, warn: int) -> None:
    expected = Result.FAIL if age > limit else Result.WARN if age > warn else Result.PASS
    assert judged_age(timedelta(seconds=age), f"{limit}s", f"{warn}s") is expected


@given(st.integers(0, 10**9), st.sampled_from(["B", "KB", "KiB", "MiB", "GB", "TiB", "k", "G"]))
def test_sizes_are_read_as_they_are_meant(count: int, unit: str) -> None:
    base = 1024 if "i" in unit else 1000
    power = "BKMGT".index(unit[0].upper())
    assert parse_size(f"{count} {unit}") == (count * base**power, False)


@given(numbers)
def test_a_number_is_shown_as_it_is(number: Decimal) -> None:
    assert Decimal(number_text(number)) == number
    assert number_in(float(number)) == number


@given(values)
def test_every_leaf_has_the_key_that_the_ledger_gives_it(value: object) -> None:
    """A key in a check is written as in a diff, so that one can be copied from the other."""
    parsed = cast("Value", value)  # as from a file
    known = {key: leaf_text(leaf) for key, leaf in nodes(parsed) if not _holds(leaf)}
    flat = flatten(parsed)
    flat.pop("$", None)
    assert known == flat


def _holds(value: object) -> bool:
    return isinstance(value, dict | list) and bool(value)


def _between(low: Decimal, high: Decimal, value: Decimal) -> list[Decimal]:
    return [value] if sorted([low, value, high])[1] == value else []
