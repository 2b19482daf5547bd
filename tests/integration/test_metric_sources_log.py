"""Lines of a log as metrics: how many, and the numbers in them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ledger.configuration.strict import Strict, read_model
from ledger.domain.errors import BadInput
from ledger.metrics.sources import Source, SourceReading
from ledger.metrics.specs import LogFile, MetricSource
from ledger.metrics.tailing import Place
from tests.support.fakes import START, FrozenClock

COUNT = {"alarms_total": "ALARM", "errors_total": r"\b(?P<level>ERROR|CRITICAL)\b"}
VALUES = {"levels": r"Generated (\d[\d,.]*) levels(?: for (?P<symbol>\w+))?"}


def log_of(
    folder: Path, *, resume: Place | None = None, trial: bool = False, **given: Any
) -> Source:
    fields: dict[str, Any] = {"count": COUNT, "values": VALUES, **given}
    spec = LogFile(name="log", kind="log_file", path="bot.log", **fields)
    return Source(spec, folder, FrozenClock(), {}, resume=resume, trial=trial)


def said(told: SourceReading) -> dict[str, str]:
    """Return the newest value of each series."""
    return {
        one.metric + "".join(f",{value}" for value in one.labels.values()): one.value
        for one in sorted(told.samples, key=lambda one: one.at)
    }


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_lines_are_counted_from_when_somebody_looks(tmp_path: Path) -> None:
    """IN-USE 11: each line once; 0 is what was counted; a missing log is no sample, and no 0 (I8)."""
    log = tmp_path / "bot.log"
    late = log_of(tmp_path)
    assert late.read() == SourceReading((), f"log: {log} does not exist")
    add(log, "old ALARM\nGenerated 9 levels\n")
    assert said(late.read()) == {"alarms_total": "1", "levels,": "9"}
    source = log_of(tmp_path)
    assert said(source.read()) == {"alarms_total": "0"}
    add(log, "an ALARM\nnothing\nGenerated 12 levels for BTC\nGenerated 1,250 levels\nhalf an ALA")
    assert said(source.read()) == {"alarms_total": "1", "levels,BTC": "12", "levels,": "1250"}
    add(log, "RM\nERROR one\n")
    assert said(source.read()) == {"alarms_total": "2", "errors_total,ERROR": "1"}
    assert said(source.read()) == {"alarms_total": "2", "errors_total,ERROR": "1"}


def test_a_new_series_begins_at_0(tmp_path: Path) -> None:
    """Or the first error of its kind would be no increase, and no rule would hear of it."""
    add(tmp_path / "bot.log", "x\n")
    source = log_of(tmp_path)
    assert source.read().problem is None
    add(tmp_path / "bot.log", "CRITICAL\nCRITICAL\n")
    told = [one for one in source.read().samples if one.metric == "errors_total"]
    assert [(one.value, one.at < START) for one in told] == [("0", True), ("2", False)]


def test_a_watch_that_comes_after_another_counts_on(tmp_path: Path) -> None:
    """From 0, and from where that one had read: 2, then 0, then 3 is an increase of 3."""
    log = tmp_path / "bot.log"
    add(log, "ALARM\nALARM\n")
    first = log_of(tmp_path)
    assert said(first.read()) == {"alarms_total": "0"}
    assert first.tail is not None
    add(log, "ALARM\n" * 3)
    after = log_of(tmp_path, resume=first.tail.place)
    told = [one.value for one in after.read().samples if one.metric == "alarms_total"]
    assert told == ["0", "3"]


def test_a_rotated_log_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "bot.log"
    add(log, "x\n")
    source = log_of(tmp_path)
    assert source.read().problem is None
    add(log, "ALARM\n")
    assert said(source.read()) == {"alarms_total": "1"}
    add(log, "ALARM 2, which nobody has read when the log is moved away\n")
    log.rename(tmp_path / "bot.log.1")
    add(log, "ALARM 3\n")
    assert said(source.read()) == {"alarms_total": "3"}


def test_the_time_of_a_line_is_the_one_it_says(tmp_path: Path) -> None:
    """In the zone of the log; a line without one goes with the line before, and none is of the future."""
    add(
        tmp_path / "bot.log",
        "2025-11-20 10:00:00,250 INFO Generated 7 levels for BTC\n"
        "  and Generated 8 levels for ETH\n"
        "2099-01-31 10:00:00,250 INFO Generated 9 levels for SOL\n"
        "2025-13-31 10:00:00,250 INFO Generated 9 levels for DOT\n",
    )
    source = log_of(tmp_path, time=r"^(\d{4}-\d\d-\d\d \S+)", zone="Asia/Shanghai")
    told = source.read()
    found = {one.labels["symbol"]: one.at for one in told.samples if one.metric == "levels"}
    assert found["BTC"].isoformat() == "2025-11-20T02:00:00.250000+00:00"
    assert found["ETH"] == found["BTC"]
    assert found["SOL"] == START
    assert told.problem == "log: in 1 lines a number or a time could not be read"


def test_a_trial_shows_what_the_patterns_find(tmp_path: Path) -> None:
    """`rollout metrics sample`: somebody is writing a plan, and looks at the log of yesterday."""
    add(tmp_path / "bot.log", "ALARM\nALARM\nGenerated 5 levels\nGenerated 1.2.3 levels\n")
    told = log_of(tmp_path, trial=True).read()
    assert said(told) == {"alarms_total": "2", "levels,": "5"}
    assert told.problem == "log: in 1 lines a number or a time could not be read"


def test_series_are_bounded(tmp_path: Path) -> None:
    """A label that is another one in each line (an order's id) fills nobody's memory."""
    add(tmp_path / "bot.log", "".join(f"order {n}\n" for n in range(1200)))
    source = log_of(tmp_path, count={"orders": r"order (?P<id>\d+)"}, values={}, trial=True)
    told = source.read()
    assert len({one.labels["id"] for one in told.samples}) == 1000
    assert told.problem == "log: in 200 lines a number or a time could not be read"


class Plan(Strict):
    metrics: tuple[MetricSource, ...]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ("count: {a: 'x('}", "metrics[0].count.a: 'x(' is no regular expression of RE2's"),
        ("count: {a: 'x(?=y)'}", "is no regular expression of RE2's"),
        ("values: {a: 'x'}", "metrics[0].values.a: 'x' has 0 groups that may be the number"),
        ("values: {a: '(x)(y)'}", "has 2 groups that may be the number"),
        ("zone: Mars, count: {a: x}", "'Mars' is no time zone"),
        ("labels: {a: b}", "give count, values, or both"),
        ("count: {a-b: x}", "metrics[0].count"),
    ],
)
def test_a_pattern_that_can_not_be_read_is_refused_with_the_plan(fields: str, told: str) -> None:
    """One line, with its key: not when the first line of the log comes."""
    text = f"metrics:\n- {{name: log, kind: log_file, path: x.log, {fields}}}\n"
    with pytest.raises(BadInput) as refused:
        read_model(text.encode(), "plan.yaml", Plan)
    assert told in refused.value.message
    assert "\n" not in refused.value.message


def test_the_clock_of_a_counter_never_goes_back(tmp_path: Path) -> None:
    """The 0 that a new series begins at lies behind what was told of the others."""
    add(tmp_path / "bot.log", "x\n")
    source = log_of(tmp_path)
    clock = source.clock
    assert isinstance(clock, FrozenClock)
    assert source.read().problem is None
    clock.advance(15)
    add(tmp_path / "bot.log", "ERROR\n")
    told = {one.value: one.at for one in source.read().samples if one.metric == "errors_total"}
    assert START - timedelta(seconds=1) < told["0"] < START < told["1"]
