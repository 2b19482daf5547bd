"""What the canary report makes of plans and samples: limits, slices, charts, a dashboard."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ledger.domain.events import CriterionResult
from ledger.profiles import shipped
from ledger.profiles.plan import Plan
from projections.reports import dashboard, evidence, plots
from projections.reports.details import said
from projections.reports.limits import Limit, limit_for, limits_of
from projections.reports.samples import Sample, Series, by_series, observed_seconds, store_of
from projections.reports.slices import Compared, compared
from projections.reports.units import unit_of
from projections.reports.window import Window
from projections.reports.words import words_in

START = datetime(2025, 10, 22, tzinfo=UTC)
DAY = START + timedelta(days=2)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return shipped.plan("ofi-cvd-canary")


def series_of(metric: str, *values: float, every: int = 60, **labels: str) -> list[Sample]:
    named = tuple(sorted(labels.items()))
    return [
        Sample(START + timedelta(seconds=every * n), n + 1, metric, named, str(value))
        for n, value in enumerate(values)
    ]


def test_limits_are_read_from_criteria_kills_and_rules(plan: Plan) -> None:
    """A criterion has to hold; of a kill or a rule, the opposite has to: x > 2000 asks for x ≤ 2000."""
    found = limits_of(plan, plan.profile.phase("canary"))
    shown = {(one.metric, one.text, one.source) for one in found}
    assert {
        ("platt_brier", "≤ 0.2", "brier"),
        ("slice_auc_active_period", "≥ 0.55", "auc-active"),
        ("platt_ece", "≤ 0.1", "platt-ece"),
        ("merge_time_diff_ms_p99", "≤ 2000", "signal_analysis_merge_time_diff_high"),
        ("platt_test_samples", "≠ 0", "signal_analysis_platt_calibration_failure"),
    } <= shown
    # How often it flipped is no line in a chart of the counter.
    assert not any(one.metric == "cvd_direction_flipped_total" for one in found)
    brier = limit_for(found, "platt_brier")
    assert brier is not None
    assert (brier.holds(Decimal("0.2")), brier.holds(Decimal("0.21"))) == (True, False)
    assert limits_of(None, None) == []


def judged(plan: Plan, samples: list[Sample]) -> Compared:
    phase = plan.profile.phase("canary")
    series = by_series(iter(samples))
    return compared(
        series, store_of(series), plan, phase, limits_of(plan, phase), ["active", "quiet", "tokyo"],
        START, DAY,
    )  # fmt: skip


def test_slices_that_stand_in_the_metrics_name(plan: Plan) -> None:
    """I8: a slice passes by a criterion and a whole time of evidence; nothing else counts as passed."""
    minutes = 2 * 24 * 60 + 1
    found = judged(
        plan,
        series_of("slice_auc_active_period", *[0.58] * minutes)
        + series_of("slice_auc_quiet_period", *[0.52] * minutes),
    )
    # Nothing in the plan speaks of the quiet slice, and of tokyo nothing was recorded.
    assert found.results == {"active": "pass", "quiet": "not_judged", "tokyo": "no_data"}
    assert found.passed == 1
    assert found.best is not None
    assert (found.best.name, found.worst.name if found.worst else None) == ("active", "quiet")
    deltas = {row.name: found.delta(row) for row in found.rows}
    assert deltas == {"active": 0, "quiet": Decimal("-0.06"), "tokyo": None}
    short = judged(plan, series_of("slice_auc_active_period", *[0.58] * 8))
    assert short.results["active"] == "inconclusive"
    dipped = judged(plan, series_of("slice_auc_active_period", *[0.58] * 100, *[0.5] * 20))
    assert dipped.results["active"] == "fail"
    assert set(dipped.rows[0].failed) == {"auc-active", "signal_analysis_slice_auc_low"}


def test_slices_without_a_threshold_are_not_ranked() -> None:
    """Which of two is better is nobody's guess."""
    samples = series_of("latency", 1, slice="a") + series_of("latency", 2, slice="b")
    series = by_series(iter(samples))
    found = compared(series, store_of(series), None, None, [], [], START, DAY)
    assert (found.best, found.worst, found.passed) == (None, None, 0)
    assert set(found.results.values()) == {"not_judged"}


def test_holes_are_not_observed() -> None:
    times = [START + timedelta(minutes=m) for m in (0, 5, 11, 12)]
    assert observed_seconds(times, START, START + timedelta(minutes=12)) == 6 * 60
    assert observed_seconds([], START, DAY) == 0


def test_a_chart_is_the_same_each_time_and_keeps_its_peaks() -> None:
    """A line of a thousand points is drawn with fewer, and its one bad minute is still there."""
    values = [1.0] * 5000
    values[2502] = 77.0
    line = Series("p99", (), series_of("p99", *values))
    limit = Limit("p99", "<=", Decimal(50), "slo")
    drawn = [
        plots.time_series([line], [limit], [plots.Band(START, DAY, "real")],
                          [plots.Mark(START + timedelta(hours=1), "alert")], START, DAY)
        for _ in range(2)
    ]  # fmt: skip
    assert drawn[0] == drawn[1]
    assert drawn[0].startswith("<svg")
    assert not re.search(r"<!--|dc:date|Matplotlib v", drawn[0])
    times, kept = plots._thinned(line)
    assert len(times) <= plots.POINTS_MAX + 2
    assert max(kept) == 77.0
    assert plots.time_series([], [], [], [], START, DAY) == ""
    nothing = Series("nan", (), series_of("nan", float("nan")))
    nothing.samples[0] = Sample(START, 1, "nan", (), "NaN")
    assert plots.time_series([nothing], [], [], [], START, DAY) == ""


def test_a_chart_shows_any_name_as_it_is() -> None:
    """What another program calls a slice is no formula, and no mark-up."""
    names = ("$\\frac$", "<b>&")
    lines = [
        Series("auc", (("slice", name),), series_of("auc", 1, 2, slice=name)) for name in names
    ]
    drawn = plots.time_series(lines, [], [], [], START, DAY)
    assert "$\\frac$</text>" in drawn
    assert "&lt;b&gt;&amp;</text>" in drawn


def test_a_chart_tells_nothing_by_colour_alone() -> None:
    """Modes have hatching and names, lines dashes, axes units; letters are left to the reader's fonts."""
    names = ("a", "东京时段")
    lines = [
        Series("auc", (("slice", name),), series_of("auc", 1, 2, slice=name)) for name in names
    ]
    half = START + timedelta(days=1)
    bands = [plots.Band(START, half, "real"), plots.Band(half, DAY, "paused")]
    drawn = plots.time_series(
        [*lines, Series("wait_ms", (), series_of("wait_ms", 3, 4))], [], bands, [], START, DAY
    )
    assert "<pattern" in drawn  # the hatching of a pause
    assert drawn.count("stroke-dasharray") >= 2  # the second line, and its place in the legend
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", drawn)
    assert {
        "real",
        "paused",
        "a",
        "东京时段\u2003\u2003",
        "ms",
        "UTC, 2025-10-22 … 2025-10-24",
    } <= set(texts)
    assert not re.search(r"Oct|font-face|https?://(?!www\.w3\.org/)", drawn)
    assert [unit_of(name).sign for name in ("merge_time_diff_ms_p99", "open_seconds", "ece")] == [
        "ms", "s", "",
    ]  # fmt: skip


def test_what_the_verdict_does_not_rest_on_is_told_all_the_same() -> None:
    """A gate looks at a day; what was wrong before it, and time out of the mode, are named beside it."""
    window = Window(START, DAY, "phase", ended=False, runs=())
    p99 = Series("p99", (), series_of("p99", 2400, *[762] * 2880))
    limit = Limit("p99", "<=", Decimal(2000), "slo")
    hour = START + timedelta(hours=1)
    alerts = [
        {"alert": "Early", "severity": "critical", "fired_at": hour},
        {"alert": "Late", "severity": "critical", "fired_at": DAY - timedelta(hours=1)},
    ]
    modes = [
        {"mode": "real", "since": START, "until": hour},
        {"mode": "paused", "since": hour, "until": START + timedelta(hours=2)},
        {"mode": "real", "since": START + timedelta(hours=2), "until": None},
    ]
    criterion = CriterionResult(
        name="p99", result="pass", measured="762", threshold="p99 <= 2000", samples=1440,
        observed_seconds=86400, needed_seconds=86400, detail="",
    )  # fmt: skip
    series = {("p99", ()): p99}

    def told(criteria: list[CriterionResult], mode: str | None) -> list[str]:
        found = evidence.asides_of(window, series, criteria, [limit], alerts, modes, mode)
        assert not any(one.serious for one in found)
        return [one.text(words_in("en")) for one in found]

    assert told([], None) == []
    outside, before = told([criterion], "real")
    assert outside.startswith("for 1h of this time the system was not in mode real")
    assert before.endswith("beyond a threshold: p99; critical alerts fired: Early")


def test_the_dashboard_holds_together(plan: Plan) -> None:
    """What Grafana wants of a file: ids and places of their own, one data source that the reader chooses."""
    phase = plan.profile.phase("canary")
    series = [Series("platt_ece", (("symbol", "BTCUSDT"),)), Series("other", ())]
    series.append(Series("merge_time_diff_ms_p99", ()))
    names = {"mode": "Modes", "alert": "Alerts", "rollback": "Rollbacks"}
    made = dashboard.dashboard("ofi-cvd", "t", names, series, limits_of(plan, phase), START, DAY)
    panels = made["panels"]
    assert [one["id"] for one in panels] == list(range(1, len(panels) + 1))
    places = {(one["gridPos"]["x"], one["gridPos"]["y"]) for one in panels}
    assert len(places) == len(panels)
    assert all(one["gridPos"]["x"] + one["gridPos"]["w"] <= 24 for one in panels)
    (source,) = made["templating"]["list"]
    assert source["type"] == "datasource"
    for panel in panels:
        assert panel["datasource"]["uid"] == panel["targets"][0]["datasource"]["uid"]
        assert panel["datasource"]["uid"] == f"${{{source['name']}}}"
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None
    ece = next(one for one in panels if one["title"] == "platt_ece")
    assert ece["targets"][0]["legendFormat"] == "{{symbol}}"
    units = {one["title"]: one["fieldConfig"]["defaults"]["unit"] for one in panels}
    assert (units["merge_time_diff_ms_p99"], units["platt_ece"]) == ("ms", "short")
    assert [one["target"]["tags"] for one in made["annotations"]["list"][1:]] == [
        ["rollout-ledger", "system:ofi-cvd", kind] for kind in ("mode", "alert", "rollback")
    ]
    assert 8 <= len(made["uid"]) <= 40


def test_what_the_gate_said_is_put_into_the_reports_language() -> None:
    chinese = words_in("zh")
    assert said("held at 3 of 4 looks", chinese) == "4 次检查中 3 次成立"
    assert said("no critical alert", chinese) == "没有严重告警"
    assert said("the last crash was at 2025-10-22T04:30:00.000000Z", chinese) == (
        "最近一次崩溃在 2025-10-22 04:30:00Z"
    )
    assert said("last crash: none", chinese) == "至今没有崩溃"
    assert said("0.585, 0.572", chinese) == "0.585, 0.572"
    assert said("failed 2 of 9 looks, first at 2025-10-22 04:30:00Z", words_in("en")) == (
        "failed 2 of 9 looks, first at 2025-10-22 04:30:00Z"
    )
