"""The canary report through the real command line, from metrics that were put into the ledger."""

from __future__ import annotations

import csv
import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.canary import START, SYSTEM, TAG, Canary
from tests.support.commands import Rollout

FILES = [
    "T+0_final_report.html", "T+0_final_report.json", "T+0_final_report.md",
    "calibration_summary.csv", "incidents.json", "merge_time_diff_ms.csv",
    "metrics_timeseries.csv", "monitoring_dashboard.json", "monitoring_report.json",
    "process_info.json", "run_tag.txt", "slices_overview.csv",
]  # fmt: skip


@pytest.fixture
def canary(tmp_path: Path, rollout: Rollout) -> Canary:
    return Canary(tmp_path, rollout)


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_eight_minutes_are_not_a_day(canary: Canary) -> None:
    """I8, scenarios 24, 25: a run of eight minutes is INCONCLUSIVE, and its rows are its own."""
    canary.go_live()
    # The program claims a whole day of rows; eight minutes of them are of its run.
    canary.run(8, canary.lines(24 * 60))
    told = canary.report("out", "--run-tag", TAG)
    assert told.out.startswith("INCONCLUSIVE")
    folder = canary.folder / "out"
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert (folder / "run_tag.txt").read_text() == f"{TAG}\n"
    report = canary.document("out")
    assert report["verdict"] == "INCONCLUSIVE"
    assert report["window"]["seconds"] == 480
    assert len(rows(folder, "metrics_timeseries.csv")) == report["evidence"]["samples"] == 9 * 13
    (auc,) = [one for one in report["slo"] if one["name"] == "auc-active"]
    assert auc["verdict"] == "inconclusive"
    assert "23h52m are missing" in auc["missing"]
    assert auc["window"] == "8m of 1d"
    doubts = {one["key"] for one in report["evidence"]["doubts"]}
    assert {"short", "outside"} <= doubts
    assert report["slices"]["passed"] == 0
    assert set(report["slices"]["results"].values()) == {"inconclusive"}
    wise = report["recommendation"]
    assert (wise["action"], wise["approval"]) == ("hold", "open")
    assert any("auc-active: 8m of 1d were observed" in reason for reason in wise["reasons"])


def test_a_whole_day_goes_on_when_somebody_approves(canary: Canary) -> None:
    """Scenario 34: the recommendation is open until a named person has signed it."""
    canary.go_live()
    lines = canary.lines(24 * 60, every=5).read_text().splitlines(keepends=True)
    canary.to(START + timedelta(hours=24))
    # The afternoon's file is brought in before the morning's.
    for half in (lines[len(lines) // 2 :], lines[: len(lines) // 2]):
        (canary.folder / "half.jsonl").write_text("".join(half))
        canary("metrics", "put", SYSTEM, "--file", canary.folder / "half.jsonl")
    canary.report("first")
    report = canary.document("first")
    assert report["verdict"] == "GO"
    assert {one["observed_s"] for one in report["slo"]} == {24 * 60 * 60}
    assert report["slices"]["text"] == "5 of 5 slices passed."
    # Tokyo's 0.572 is below what the plan asks of the active slice, and above what it asks of each.
    assert report["slices"]["asked"] == "Asked of them: slice_auc ≥ 0.55 (SliceAucLow)."
    assert report["slices"]["best"]["slice"] == "london"
    assert report["slices"]["worst"]["slice"] == "tokyo"
    wise = report["recommendation"]
    assert (wise["action"], wise["next_phase"], wise["approval"]) == ("expand", "expanded", "open")
    assert wise["next_scope"]["symbols"] == ["BTCUSDT", "ETHUSDT", "ADAUSDT", "SOLUSDT"]
    canary("approve", "request", SYSTEM, "phase:expanded")
    requests: Any = canary("approve", "list", SYSTEM, "-o", "json").json
    canary("approve", "deny", SYSTEM, requests[0]["request"], "--role", "owner",
           ROLLOUT_ACTOR="human:otto")  # fmt: skip
    canary.report("denied")
    assert canary.document("denied")["recommendation"]["approval_text"] == (
        "Approval: denied by otto."
    )
    canary("approve", "request", SYSTEM, "phase:expanded")
    requests = canary("approve", "list", SYSTEM, "-o", "json").json
    canary.report("asked")
    assert canary.document("asked")["recommendation"]["approval"] == "asked"
    canary("approve", "grant", SYSTEM, requests[-1]["request"], "--role", "owner",
           ROLLOUT_ACTOR="human:olga")  # fmt: skip
    canary.report("approved")
    wise = canary.document("approved")["recommendation"]
    assert wise["approval"] == "approved"
    assert wise["approvals"][0]["name"] == "olga"


def test_a_slice_below_the_bar_is_counted_as_it_is(canary: Canary) -> None:
    """Scenario 26: "5 of 5 slices passed" is counted: one fell, one nobody measured."""
    canary.go_live()
    low = canary.lines(
        24 * 60, every=5, value=lambda name, minute: 0.54 if name == "slice_auctokyo" else None
    )
    lines = low.read_text().splitlines(keepends=True)
    low.write_text("".join(line for line in lines if '"ny"' not in line))
    canary("metrics", "put", SYSTEM, "--file", low)
    canary.to(START + timedelta(hours=24))
    canary.report("out")
    report = canary.document("out")
    assert report["verdict"] == "GO"
    assert report["slices"]["text"] == "3 of 5 slices passed."
    assert report["slices"]["results"]["ny"] == "no_data"
    (tokyo,) = [one for one in report["slices"]["rows"] if one["slice"] == "tokyo"]
    assert tokyo["failed"] == ["SliceAucLow"]
    assert report["recommendation"]["action"] == "hold"
    assert "slices failed: tokyo" in report["recommendation"]["reasons"]
    assert "slices without enough evidence: ny" in report["recommendation"]["reasons"]


def test_numbers_that_equal_the_day_before_are_named(canary: Canary) -> None:
    """Scenario 27: results equal to the pre-check may be copies; the report says which."""
    canary.to(START - timedelta(hours=2))
    canary("metrics", "put", SYSTEM, "fusion_auc_active=0.585", "ece=0.08")
    canary.to(START)
    canary.go_live()
    same = canary.lines(
        8, value=lambda name, _: {"fusion_auc_active": 0.585, "ece": 0.08}.get(name)
    )
    canary.run(8, same)
    canary.report("out", "--run-tag", TAG)
    (copied,) = [
        one for one in canary.document("out")["evidence"]["doubts"] if one["key"] == "copied"
    ]
    assert "2 of 2 series" in copied["text"]
    assert "ece, fusion_auc_active" in copied["text"]


def test_a_run_without_data_says_so(canary: Canary) -> None:
    """I8: nothing measured is a report that says so, in every file, and no number in it.

    Not what was measured a minute before the run began either, where a look at its end still finds it.
    """
    canary("phase", "enter", SYSTEM, "canary")
    empty = canary.folder / "none.jsonl"
    empty.write_text('{"metric": "ece", "value": 0.08, "at": "2025-10-22T04:26:00Z"}\n')
    canary.run(1, empty)
    canary.report("out", "--run-tag", TAG, "--lang", "zh")
    folder = canary.folder / "out"
    text = (folder / "T+0_final_report.md").read_text()
    assert "INCONCLUSIVE" in text
    assert "该时间段内没有任何测量" in text
    assert rows(folder, "metrics_timeseries.csv") == []
    assert rows(folder, "merge_time_diff_ms.csv") == []
    assert [one["result"] for one in rows(folder, "slices_overview.csv")] == ["no_data"] * 5
    report = canary.document("out")
    assert [one["actual"] for one in report["slo"][:5]] == [None] * 5
    assert "<svg" not in (folder / "T+0_final_report.html").read_text()


def test_the_same_ledger_gives_the_same_bytes(canary: Canary) -> None:
    """I7: a report can be made again, to the byte; and that it was made is in the log, with its digests."""
    canary.go_live()
    canary.run(8, canary.lines(8))
    told = canary.report("one", "--run-tag", TAG, "-o", "json")
    canary("projections", "rebuild")
    again = canary.report("two", "--run-tag", TAG, "-o", "json")
    assert told.json["files"] == again.json["files"]
    for name, digest in told.json["files"].items():
        assert hashlib.sha256((canary.folder / "one" / name).read_bytes()).hexdigest() == digest
    event = canary("show", str(told.json["position"]), "-o", "json").json
    assert event["type"] == "ReportGenerated"
    assert event["data"]["files"] == told.json["files"]
    source = canary.document("one")["provenance"]
    assert event["data"]["chain"] == source["chain"]
    assert source["from_position"] <= source["to_position"] < told.json["position"]
    exported = canary("incident", "export", SYSTEM, "--out", canary.folder / "incidents.json")
    assert exported.code == 0
    assert (canary.folder / "one" / "incidents.json").read_bytes() == (
        canary.folder / "incidents.json"
    ).read_bytes()
    assert "made the canary report on the run" in canary("log", SYSTEM).out
    canary("verify")


def test_of_two_runs_with_one_tag_the_report_says_which(canary: Canary) -> None:
    """A program that is begun anew on the same day has the same tag: either run can be asked for."""
    canary.go_live()
    for hours in (0, 1):
        canary.to(START + timedelta(hours=hours))
        canary.run(8, canary.lines(8))
    first, second = (f"#{row['position']}" for row in canary.log("RunStarted"))
    for name, tag, chosen, other in (("last", TAG, second, first), ("one", first, first, second)):
        canary.report(name, "--run-tag", tag)
        report = canary.document(name)
        assert report["run_tags"] == [TAG]
        (doubt,) = [one for one in report["evidence"]["doubts"] if one["key"] == "namesakes"]
        assert f"started at {chosen}. The others: {other}" in doubt["text"]
    assert report["window"]["since"].startswith("2025-10-22T04:27:00")
    stop = canary.folder / "stop"
    canary("report", "stop", SYSTEM, "--run-tag", first, "--out", stop)
    facts = json.loads((stop / "stop.json").read_bytes())["sections"]["run"]["facts"]
    assert (facts["position"], facts["namesakes"]) == (first, second)


def test_a_full_disk_leaves_nothing_under_the_reports_name(canary: Canary) -> None:
    """A folder has its name when it is whole; what was there before stays."""
    out = canary.folder / "out"
    canary.report("out")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    for words in (["--replace", "--out", out], ["--out", canary.folder / "new"]):
        told = canary.limited("report", "canary", SYSTEM, "--lang", "zh", *words)
        assert told.code == 1
        assert "can't be written: file too large" in told.err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert not (canary.folder / "new").exists()
    assert list(canary.folder.glob(".*rollout-tmp")) == []
    assert len(canary.log("ReportGenerated")) == 1


def test_what_can_go_wrong_is_one_line(canary: Canary) -> None:
    """An unknown language, run or system, a folder that is there: one line, exit 2, nothing written."""
    out = canary.folder / "out"
    for words, line in (
        (("--lang", "fr"), "There is no language 'fr'."),
        (("--run-tag", "nope"), f"{SYSTEM} had no run 'nope'."),
    ):
        told = canary.report("out", *words, exits=2)
        assert told.err.startswith(f"rollout: {line}")
        assert not out.exists()
    told = canary("report", "canary", "nobody", "--out", out, exits=2)
    assert "There is no system 'nobody'" in told.err
    canary.report("out")
    assert "is there already" in canary.report("out", exits=2).err
    canary.report("out", "--replace")
    (out / "mine.txt").write_text("x")
    assert "holds mine.txt" in canary.report("out", "--replace", exits=2).err
    assert [path.name for path in canary.folder.glob(".out*")] == []


def test_alerts_modes_and_rollbacks_are_told_and_drawn(canary: Canary) -> None:
    """What happened stands beside what was measured, in the page and in the dashboard."""
    canary.go_live()
    canary("metrics", "put", SYSTEM, "--file", canary.lines(60))
    canary.to(START + timedelta(minutes=20))
    canary(
        "alert", "raise", SYSTEM, "EceHigh", "--severity", "critical", "-m", "ece <b>0.2</b> | high"
    )
    canary("mitigation", "apply", SYSTEM, "down-weight-slice", "--label", "slice=tokyo")
    canary.to(START + timedelta(minutes=30))
    (canary.folder / "prod.yaml").write_text("merge_tol_ms: 2000\n")
    canary("config", "put", SYSTEM, canary.folder / "prod.yaml", "--in-force")
    canary("rollback", SYSTEM, "--last-stable")
    canary("pause", SYSTEM)
    canary.to(START + timedelta(minutes=60))
    canary.report("out")
    report = canary.document("out")
    assert [one["alert"] for one in report["alerts"]] == ["EceHigh"]
    assert report["alerts"][0]["open_at_the_end"]
    assert [one["outcome"] for one in report["rollbacks"]] == ["completed"]
    assert [one["mode"] for one in report["modes"]] == ["real", "paused/halt"]
    assert any("EceHigh" in reason for reason in report["recommendation"]["reasons"])
    # incidents.json is no riddle: the report says what is in it (scenario 28), and what was done.
    listed = json.loads((canary.folder / "out" / "incidents.json").read_bytes())["incidents"]
    told = report["incidents"]
    assert (told["in_this_time"], told["in_file"]) == (len(listed), len(listed)) == (1, 1)
    assert [one["id"] for one in told["rows"]] == [one["id"] for one in listed]
    assert f"incidents were open at the end of this time: {listed[0]['id']}" in [
        one["text"] for one in report["evidence"]["doubts"]
    ]
    done = [(one["event"], one["mitigation"], one["target"]) for one in report["mitigations"]]
    assert ("MitigationApplied", "down-weight-slice", "tokyo") in done
    page = (canary.folder / "out" / "T+0_final_report.html").read_text()
    assert "<b>0.2</b>" not in page
    assert page.count("<svg") == 3
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    board = json.loads((canary.folder / "out" / "monitoring_dashboard.json").read_bytes())
    (auc,) = [one for one in board["panels"] if one["title"] == "fusion_auc_active"]
    assert auc["fieldConfig"]["defaults"]["thresholds"]["steps"] == [
        {"color": "red", "value": None}, {"color": "green", "value": 0.58},
    ]  # fmt: skip
