"""A configuration's canonical form, keys and changes, without files."""

from __future__ import annotations

import json

import pytest

from ledger.domain.errors import BadInput
from ledger.domain.values.fingerprints import (
    Change,
    Value,
    canonical,
    diff,
    fingerprint,
    flatten,
    key_path,
    merge,
)


def test_the_canonical_form_is_rfc_8785() -> None:
    """The RFC's own example, but for what JSON text alone can say."""
    value: Value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '€$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    assert canonical(value).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,'
        '{"$integer":"1000000000000000019884624838656"},4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    # Keys are sorted by UTF-16 units, in which U+1F600 comes before U+FB33.
    assert canonical({"\ufb33": 1, "\U0001f600": 2, "a": 3}).decode() == '{"a":3,"😀":2,"\ufb33":1}'


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (2**53 - 1, "9007199254740991"),
        (2**53, '{"$integer":"9007199254740992"}'),
        (float(2**53), '{"$integer":"9007199254740992"}'),
        (-(10**18), '{"$integer":"-1000000000000000000"}'),
        (1e-7, "1e-7"),
        (0.1 + 0.2, "0.30000000000000004"),
    ],
)
def test_a_number_has_one_form_however_it_is_written(value: float, form: str) -> None:
    assert canonical(value).decode() == form


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -float("inf"), "\ud800", 2**1024, -(2**1024)]
)
def test_what_has_no_form_is_refused(value: Value) -> None:
    with pytest.raises(BadInput):
        canonical({"a": [value]})


def test_depth_is_bounded() -> None:
    value: Value = 1
    for _ in range(100):
        value = [value]
    assert canonical(value)
    with pytest.raises(BadInput, match="100 levels"):
        canonical([value])


def test_types_make_a_difference() -> None:
    """Any changed value is another fingerprint, though not every changed spelling."""
    values: list[Value] = [
        {"a": 1},
        {"a": "1"},
        {"a": True},
        {"a": None},
        {"a": [1]},
        {"a": {}},
        {"a": []},
        {},
        {"a": "$"},
        {"a": {"$date": "2026-02-01"}},
        {"a": "2026-02-01"},
        {"a": 10**18},
        {"a": "1000000000000000000"},
        {"b": 1},
    ]
    assert len({fingerprint(value) for value in values}) == len(values)
    assert fingerprint({"a": 1, "b": 1.0}) == fingerprint({"b": 1, "a": 1.0})


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (("grid", "levels", 2, "price"), "grid.levels[2].price"),
        (("BTC/USDT", "size"), "BTC/USDT.size"),
        (("a.b", "c"), '["a.b"].c'),
        (("a", "b[0]"), 'a["b[0]"]'),
        (("a", ""), 'a[""]'),
        (("a", 'say "hi"'), 'a["say \\"hi\\""]'),
        (("a", "1"), "a.1"),
        (("a", 1), "a[1]"),
        ((0, "x"), "[0].x"),
        (("阈值",), "阈值"),
        (("a b",), '["a b"]'),
        (("$",), '["$"]'),
        ((), "$"),
    ],
)
def test_a_key_path_is_unambiguous(path: tuple[str | int, ...], key: str) -> None:
    assert key_path(path) == key


def test_flatten_shows_every_leaf_with_its_type() -> None:
    value: Value = {
        "grid": {"levels": [1.5, "1.5"], "on": True, "none": None},
        "empty": {"list": [], "map": {}},
        "wei": 10**18,
        "since": {"$date": "2026-02-01"},
        "name": "ä\n",
    }
    flat = {
        "grid.levels[0]": "1.5",
        "grid.levels[1]": '"1.5"',
        "grid.on": "true",
        "grid.none": "null",
        "empty.list": "[]",
        "empty.map": "{}",
        "wei": "1000000000000000000",
        "since": '{"$date":"2026-02-01"}',
        "name": '"ä\\n"',
    }
    assert flatten(value) == flat
    assert flatten(json.loads(canonical(value))) == flat
    assert flatten(5) == {"$": "5"}
    assert flatten({}) == {"$": "{}"}


def test_diff_names_each_changed_key_once() -> None:
    old: Value = {"a": 0.5, "b": {"c": [1, 2], "d": 1}, "same": "x"}
    new: Value = {"a": "0.5", "b": {"c": [1, 3, 4], "e": {}}, "same": "x"}
    assert diff(old, new) == [
        Change("a", "0.5", '"0.5"'),
        Change("b.c[1]", "2", "3"),
        Change("b.c[2]", None, "4"),
        Change("b.d", "1", None),
        Change("b.e", None, "{}"),
    ]
    assert diff(old, old) == []


def test_merge_does_not_mix_tagged_values() -> None:
    date: Value = {"$date": "2026-02-01"}
    assert merge([{"a": date}, {"a": {"b": 1}}]) == {"a": {"b": 1}}
    assert merge([{"a": {"b": 1}}, {"a": date}]) == {"a": date}
    assert merge([]) == {}
