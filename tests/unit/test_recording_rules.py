"""Recording rules: what they find is evidence like any other, and what they no longer find is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ledger.alerts.promql import Moment, compile_expression
from ledger.alerts.recording import record
from ledger.alerts.rules import RecordingRule, load_rules
from ledger.alerts.series import SeriesStore
from ledger.alerts.vectors import Element

START = datetime(2026, 1, 1, tzinfo=UTC)
BAD = """
groups:
  - name: g
    rules:
      - {record: bad, expr: rate > 0.5, labels: {kind: any}}
"""


def rules(text: str = BAD) -> tuple[RecordingRule, ...]:
    return load_rules(text.encode(), "r.yaml").recordings


def seen(series: SeriesStore, seconds: int, text: str = "bad > 0") -> dict[str, Element]:
    at = (START + timedelta(seconds=seconds)).timestamp()
    found = compile_expression(text).evaluate(Moment(series, at))
    return {dict(labels).get("venue", ""): element for labels, element in found.items()}


def put(series: SeriesStore, seconds: int, value: float, venue: str = "okx") -> datetime:
    now = START + timedelta(seconds=seconds)
    series.add("rate", {"venue": venue}, now.timestamp(), value)
    return now


def test_what_is_no_longer_so_is_known_to_be_false() -> None:
    """I8: it does not linger for five minutes, and it is no hole either."""
    series = SeriesStore()
    assert record(rules(), series, put(series, 0, 0.9)).samples == (
        ("bad", (("kind", "any"), ("venue", "okx")), 0.9),
    )
    assert seen(series, 0) == {"okx": Element(0.9)}
    assert record(rules(), series, put(series, 15, 0.1)).samples == ()
    assert seen(series, 15)["okx"].false
    assert seen(series, 15, "count_over_time(bad[1m])") == {"okx": Element(1.0)}


def test_what_can_not_be_told_any_more_is_unknown_at_once() -> None:
    """A recorded value is as old as what it was made of."""
    series = SeriesStore()
    record(rules(), series, put(series, 0, 0.9))
    record(rules(), series, START + timedelta(seconds=301))
    assert seen(series, 301) == {}


def test_one_that_can_not_be_evaluated_says_so() -> None:
    """I8: two under one set of labels, as in Prometheus; the last of them used to win in silence."""
    series = SeriesStore()
    put(series, 0, 0.9)
    now = put(series, 0, 0.8, "bybit")
    (rule,) = rules(BAD.replace("kind: any", "venue: any"))
    found = record([rule], series, now)
    assert found.samples == ()
    assert list(found.failed) == ['bad{venue="any"}']
    assert "laid over them" in found.failed[rule.key]
    assert seen(series, 0) == {}


def test_infinities_are_recorded_and_a_nan_is_no_error() -> None:
    series = SeriesStore()
    recorded = record(rules(BAD.replace("rate > 0.5", "rate / 0")), series, put(series, 0, 1))
    assert [value for _, _, value in recorded.samples] == [float("inf")]
    recorded = record(rules(BAD.replace("rate > 0.5", "rate / 0")), series, put(series, 15, 0))
    assert str(recorded.samples[0][2]) == "nan"
    assert recorded.failed == {}
