"""PromQL over recorded samples: what holds, what does not, and what can't be told."""

from __future__ import annotations

import pytest

from ledger.alerts.promql import Moment, compile_expression
from ledger.alerts.series import SeriesStore
from ledger.alerts.vectors import Element
from ledger.domain.errors import BadInput

TOKYO = (("slice", "tokyo"),)


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


def told(moment: Moment, text: str) -> dict[str, bool]:
    """Return, by slice, whether the expression holds."""
    found = compile_expression(text).evaluate(moment)
    return {dict(labels).get("slice", ""): element.holds for labels, element in found.items()}


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
        ("n > 1", {}),
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
    ],
)  # fmt: skip
def test_values(moment: Moment, text: str, value: float) -> None:
    """As Prometheus works them out, extrapolation to the window's ends included."""
    assert compile_expression(text).evaluate(moment)[()].value == pytest.approx(value)


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
