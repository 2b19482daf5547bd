"""A gate's criterion over its whole window: GO on all of the evidence, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import TypeAlias

import pytest

from ledger.alerts import window_verdict
from ledger.alerts.promql import compile_expression
from ledger.alerts.series import SeriesStore
from ledger.alerts.window_verdict import Answer, Asked, judged
from ledger.domain.errors import BadInput
from ledger.profiles import plan

NAN = float("nan")
WEEK = 7 * 86400.0
PLAN = """
profile: gate
environment: production
phases:
  - name: canary
    mode: real
    min_duration: 7d
    success:
      - {name: rejects, expr: "reject_rate < 0.05", every: EVERY}
"""


Values: TypeAlias = Mapping[int, float | None]


def told(
    text: str, every: float, end: float, *series: Values, failures: int = 0, gaps: float = 0.0
) -> Answer:
    """Return the verdict on series ``m{n="0"}``, ``m{n="1"}`` …, each a value by the time it begins at."""
    store = SeriesStore()
    for number, values in enumerate(series):
        for minute in range(0, int(end) + 1, 60):
            begun = max((at for at in values if at <= minute), default=None)
            value = values[begun] if begun is not None else None
            if value is not None:
                store.add("m", {"n": str(number)}, minute, value)
    asked = Asked(0, end, every, 300, failures_allowed=failures, gaps_allowed=gaps)
    return judged(compile_expression(text), store, asked)


@pytest.mark.parametrize("every", [10, 60, 600])
def test_how_often_one_looks_does_not_change_what_was(every: float) -> None:
    """I8: twenty bad hours on the first of seven days are NO_GO, however fine the looks."""
    answer = told("m < 0.05", every, WEEK, {0: 0.01, 3600: 0.9, 75600: 0.01})
    assert answer.result == "fail"
    assert answer.detail.endswith("first at 1970-01-01 01:00:00Z")


def test_what_is_not_looked_at_in_full_is_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    """I8: what the newest looks say is no GO for all of them; a failure among them is one."""
    monkeypatch.setattr(window_verdict, "LOOKS_MAX", 20)
    assert told("m < 1", 60, 3600, {0: 0.5}) == Answer(
        "inconclusive", "0.5", "only 20 of 61 looks are made at most; look less often"
    )
    assert told("m < 1", 60, 3600, {0: 0.5, 3000: 2}).result == "fail"


def test_a_series_that_vanished_is_not_judged_by_the_others() -> None:
    """I8: one venue of two that is not seen any more is no venue that does well."""
    gone = dict(zip(count(7200, 60), [None] * 600, strict=False))
    answer = told("m < 1", 60, 36_000, {0: 0.5}, {0: 0.5, **gone})
    assert answer.result == "inconclusive"
    assert answer.detail.startswith('nothing could be told of {n="1"} for 7h')
    begun_later = told("m < 1", 60, 36_000, {0: 0.5}, {18_000: 0.5})
    assert begun_later == Answer("pass", "0.5, 0.5", "held at 601 of 601 looks")


@pytest.mark.parametrize(
    ("values", "result"),
    [
        ({0: 0.5, 600: NAN, 1200: 0.5}, "inconclusive"),
        ({0: 0.5, 600: NAN, 780: 0.5}, "pass"),
        ({0: 0.5, 3000: NAN}, "inconclusive"),
        ({0: NAN, 600: 0.5}, "inconclusive"),
        ({0: NAN}, "inconclusive"),
        ({0: NAN, 1200: 2, 2400: NAN}, "fail"),
    ],
)
def test_what_nobody_can_tell_does_not_hold(values: Values, result: str) -> None:
    """I8: a NaN is no pass; for longer than `max_gap` it makes the gate inconclusive."""
    assert told("m < 1", 60, 3600, values).result == result


def test_what_can_not_be_evaluated_is_inconclusive() -> None:
    """I8: several that match one, as in Prometheus: an error, and no GO by the last of them."""
    answer = told("m / on() sum(m) < 10", 60, 600, {0: 1}, {0: 80})
    assert answer.result == "inconclusive"
    assert "several on the left" in answer.detail
    assert "1970-01-01 00:00:00Z" in answer.detail


def test_failures_that_are_allowed() -> None:
    values: Values = {0: 0.5, 600: 2, 780: 0.5}
    assert told("m < 1", 60, 3600, values, failures=3).result == "pass"
    assert told("m < 1", 60, 3600, values, failures=2).result == "fail"


@pytest.mark.parametrize(
    ("values", "share", "result"),
    [
        ({0: 0.5, 600: None, 1200: 0.5}, 0.0, "inconclusive"),
        ({0: 0.5, 600: None, 1200: 0.5}, 0.2, "pass"),
        ({0: 0.5, 600: None, 1200: 0.5}, 0.1, "inconclusive"),
        (
            {0: 0.5, 600: None, 1200: 0.5, 1800: NAN, 2400: 0.5},
            0.2,
            "inconclusive",
        ),  # both together
        ({0: 0.5, 3000: None}, 0.5, "inconclusive"),  # it is not over
        ({0: None, 600: 0.5}, 0.2, "pass"),
        ({0: 0.5, 600: None, 1200: 2}, 0.2, "fail"),
        ({0: None}, 0.5, "inconclusive"),
    ],
)
def test_a_share_of_gaps_that_is_allowed(values: Values, share: float, result: str) -> None:
    """I8: what was seen decides, as long as gaps are over, and all of them together are no more than said."""
    assert told("m < 1", 60, 3600, values, gaps=share).result == result


@pytest.mark.parametrize(("written", "read"), [("1%", 0.01), ("0.5 %", 0.005), ("50%", 0.5)])
def test_a_share_is_written_as_per_cent(written: str, read: float, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace("every: EVERY", f"gaps_allowed: {written}"))
    assert plan.load(path).profile.phases[0].success[0].gaps_allowed == read


@pytest.mark.parametrize("written", ["1", "0.01", "60%", "some"])
def test_what_is_no_share_is_refused(written: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace("every: EVERY", f"gaps_allowed: {written}"))
    with pytest.raises(BadInput, match="gaps_allowed"):
        plan.load(path)


def test_a_plan_that_looks_too_often_is_refused(tmp_path: Path) -> None:
    """With file and line, and what to do: not found out when the gate is due."""
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace("EVERY", "1s"))
    with pytest.raises(BadInput, match=r"plan.yaml, line 9: canary/rejects would be .* 604,801"):
        plan.load(path)
    path.write_text(PLAN.replace("EVERY", "10s"))
    assert plan.load(path).profile.phases[0].name == "canary"
