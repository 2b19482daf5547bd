"""PromQL over recorded samples: what holds, what does not, and what can't be told."""

from __future__ import annotations

import pytest

from ledger.alerts.promql import Moment, compile_expression
from ledger.alerts.series import SeriesStore
from ledger.alerts.vectors import Element, EvaluationError
from ledger.domain.errors import BadInput

TOKYO = (("slice", "tokyo"),)
INF = float("inf")
NAN = float("nan")


@pytest.fixture
def moment() -> Moment:
    """Twenty minutes of samples: x grows by one a minute, c by five, y is 1 in Tokyo only, n is NaN."""
    series = SeriesStore()
    for minute in range(20):
        at = 60.0 * minute
        series.add("x", {"slice": "tokyo"}, at, minute)
        series.add("x", {"slice": "london"}, at, 100 + minute)
        series.add("y", {"slice": "tokyo"}, at, 1)
        series.add("c", {}, at, 5 * minute)
        series.add("n", {}, at, float("nan"))
    return Moment(series, 19 * 60.0)


def told(moment: Moment, text: str) -> dict[str, bool | None]:
    """Return, by slice, whether the expression holds; None: nobody can tell."""
    found = compile_expression(text).evaluate(moment)
    return {
        dict(labels).get("slice", ""): None if not e.holds and not e.known else e.holds
        for labels, e in found.items()
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x > 50", {"tokyo": False, "london": True}),
        ('x{slice=~"to.*"} >= 19', {"tokyo": True}),
        ('x{slice!="tokyo"} > 1000', {"london": False}),
        ("50 < x", {"tokyo": False, "london": True}),
        ("x > 50 or y == 1", {"tokyo": True, "london": True}),
        ("x > 10 and y == 1", {"tokyo": True}),  # of London's y nothing is known
        ("x > 1000 and y == 1", {"tokyo": False, "london": False}),
        ("x > 10 unless y == 1", {"tokyo": False, "london": True}),
        ("x > 10 unless nosuch == 1", {"tokyo": True, "london": True}),
        ("nosuch > 1", {}),
        ("n > 1", {"": None}),
        ("n != 1", {"": True}),
        ("(n > bool 1) == 1", {"": None}),
        ("(n > bool 1) == 0", {"": True}),
        ("n > 1 and y == 1", {"": None}),
        ("n * on() c > 5 or y == 1", {"": None, "tokyo": True}),
        ("sum(x) > 5 and on() n > 5", {"": None}),
        ("sum(x or n) > 5", {"": None}),
        ("max(x or n) > 500", {"": None}),
        ("max(x or n) > 50", {"": True}),
        ("count(x > 50 or n > 50) >= 2", {"": None}),
        ("c > 1000 and on() n > 1", {"": False}),
        ("c > 1000 and n", {"": False}),
        ("(c > 1000) + n > 1", {"": False}),
        ("x > 1000 or on(slice) y > 5", {"tokyo": False, "london": False}),
        ("x > 10 or on(slice) y == 1", {"tokyo": True, "london": True}),
        ("absent(nosuch)", {"": True}),
        ("absent(x)", {"": False}),
        ("absent_over_time(nosuch[5m])", {"": True}),
        ("sum(x) == 138", {"": True}),
        ("count(x > 50) >= 1", {"": True}),
        ("count(x > 5000) >= 1", {"": False}),
        ("max by (slice) (x) > 50", {"tokyo": False, "london": True}),
        ("avg_over_time(x[5m]) > 16", {"tokyo": True, "london": True}),
        ("x - y > 17", {"tokyo": True}),
        ("x offset 5m == 14", {"tokyo": True, "london": False}),
    ],
)
def test_what_holds(moment: Moment, text: str, expected: dict[str, bool]) -> None:
    """I8: false, and nothing to tell by, are two things."""
    assert told(moment, text) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("rate(c[5m])", 5 / 60), ("increase(c[5m])", 25), ("delta(c[5m])", 25),
        ("changes(c[5m])", 4), ("min_over_time(c[5m])", 75), ("max_over_time(c[5m])", 95),
        ("quantile_over_time(0.5, c[10m])", 72.5), ("count_over_time(c[10m])", 10),
        ("stddev_over_time(c[5m])", 50**0.5), ("last_over_time(c[1m])", 95), ("2 ^ 3 % 5", 3),
        ("-c", -95), ("abs(-c)", 95), ("1 > bool 2", 0), ("c / 0", float("inf")),
        ("c / -(0 * c)", -INF), ("ceil(c / 0)", INF), ("floor(-c / 0)", -INF),
        ("1 / ceil(-0.5 * (c > bool 0))", -INF), ("(0 - c) ^ 1001", -INF), ("(0 - c) ^ 0.5", NAN),
        ("(0 * c) ^ -1", INF), ("(c / 0) % 3", NAN), ("ceil(n)", NAN), ("floor(n)", NAN),
        ("sqrt(n)", NAN), ("sum(c / 0 or y)", INF), ("sum(c / 0 or -y / 0)", NAN),
        ("min(x or n)", 19), ("max(n or x)", 119), ("min(n)", NAN), ("avg(n or x)", NAN),
        ("count(n or x)", 3), ("min_over_time(n[5m])", NAN), ("avg_over_time(n[5m])", NAN),
        ("count_over_time(n[5m])", 5), ("changes(n[5m])", 0), ("quantile_over_time(0.5, n[5m])", NAN),
        ("avg(1e308 * (x > bool 0) or on() 1e308 * y)", 1e308),
    ],
)  # fmt: skip
def test_values(moment: Moment, text: str, value: float) -> None:
    """As Prometheus works them out, extrapolation to the window's ends included."""
    assert compile_expression(text).evaluate(moment)[()].value == pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize(
    "text", ["x / on() c", "c / on() x > 0", "c and c / on() x", "x > on() (c - 1000)"]
)
def test_several_that_match_one_are_an_error(moment: Moment, text: str) -> None:
    """As in Prometheus: which of them was meant can't be told, and the last one is no answer (I8)."""
    with pytest.raises(EvaluationError, match=r'labels that one is matched by: \{slice="tokyo"'):
        compile_expression(text).evaluate(moment)


@pytest.mark.parametrize("text", ["x > on() c + 20", "c / on() (x < 50)", "(c > 1e9) / on() x"])
def test_several_of_which_one_holds_are_none(moment: Moment, text: str) -> None:
    """What Prometheus has filtered away by then matches nothing."""
    assert set(compile_expression(text).evaluate(moment)) == {()}


@pytest.mark.parametrize(
    ("pattern", "holds"),
    [
        (r"\\pL+", True),
        (r"tokyo\\z", True),
        ("[[:alpha:]]+", True),
        ("(?U)t.*?", True),
        ("to", False),
    ],
)
def test_regular_expressions_are_re2s(moment: Moment, pattern: str, holds: bool) -> None:
    expected = {"tokyo": True} if holds else {}
    assert told(moment, f'y{{slice=~"{pattern}"}} == 1') == expected


def test_an_expression_that_re2_does_not_read_is_refused() -> None:
    """In one line, with the rule and where it stands: `y` and no `x` is what Rust's reader lets through."""
    with pytest.raises(BadInput) as refused:
        compile_expression('x{a=~"(?x) a"} > 1', "rules.yaml, line 3, High")
    assert refused.value.message.startswith("rules.yaml, line 3, High: ")
    assert "no regular expression of RE2's" in refused.value.message
    assert "\n" not in refused.value.message


def test_a_sample_is_one_for_five_minutes(moment: Moment) -> None:
    """Prometheus' lookback: then the series has vanished."""
    late = Moment(moment.series, moment.at + 299)
    assert compile_expression("c").evaluate(late) == {(): Element(95)}
    assert compile_expression("c").evaluate(Moment(moment.series, moment.at + 300)) == {}


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("histogram_quantile(0.9, x)", "the function histogram_quantile"),
        ("max_over_time(x[5m:1m])", "a subquery"),
        ("x * on(slice) group_left y", "group_left"),
        ("topk(3, x)", "the aggregation topk"),
        ("x @ 5", "the modifier @"),
        ("sum by (__name__) (x)", "__name__ as a label"),
        ('x{a="1" or a="2"}', "or between matchers"),
        ('{__name__=~"x|y"}', "a selector without a metric's name"),
        ('{__name__="x",__name__!="y"}', "a selector without a metric's name"),
    ],
)
def test_what_needs_a_server_says_so(text: str, needs: str) -> None:
    with pytest.raises(BadInput) as refused:
        compile_expression(text, "rules.yaml, line 3, High")
    assert refused.value.message.startswith("rules.yaml, line 3, High: ")
    assert needs in refused.value.message
    assert "needs a Prometheus server" in refused.value.message


def test_what_is_no_promql_says_so() -> None:
    with pytest.raises(BadInput, match="is no PromQL"):
        compile_expression("x >")
