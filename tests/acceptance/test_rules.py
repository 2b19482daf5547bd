"""Rules through the command line: promtool and we agree; other files are converted, pasts replayed."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.commands import Rollout

RULES = """
groups:
  - name: slo
    rules:
      - alert: High
        expr: avg_over_time(ece[4m30s]) > 0.1
        for: 2m
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.slice }} at {{ $value }}{{ $labels.team }}", rollout_action: pause}
      - alert: Errors
        expr: rate(errors_total[4m30s]) > 0.05 and on(host) up == 1
        labels: {severity: warning}
      - alert: Gone
        expr: absent(heartbeat)
        for: 1m
        labels: {severity: critical}
"""
TESTS = """
rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'ece{slice="tokyo"}', values: '0.05x5 0.3x14'}
      - {series: 'ece{slice="london"}', values: '0.05x20'}
      - {series: 'errors_total{host="a"}', values: '0+6x20'}
      - {series: 'errors_total{host="b"}', values: '0+6x20'}
      - {series: 'up{host="a"}', values: '1x20'}
      - {series: 'up{host="b"}', values: '0x20'}
      - {series: 'heartbeat', values: '1x20'}
    alert_rule_test:
      - {eval_time: 4m, alertname: High, exp_alerts: []}
      - eval_time: 12m
        alertname: High
        exp_alerts:
          - exp_labels: {severity: critical, slice: tokyo}
            exp_annotations: {summary: tokyo at 0.3, rollout_action: pause}
      - eval_time: 12m
        alertname: Errors
        exp_alerts: [{exp_labels: {severity: warning, host: a}}]
      - {eval_time: 12m, alertname: Gone, exp_alerts: []}
  - name: nothing comes
    interval: 1m
    input_series: [{series: 'ece{slice="tokyo"}', values: '0.3x2'}]
    alert_rule_test:
      - {eval_time: 5m, alertname: Gone, exp_alerts: [{exp_labels: {severity: critical}}]}
"""
OTHER = """
rules:
  - {id: WS_DOWN, severity: CRITICAL, query: {metric: ws, operator: "==", value: false, window_seconds: 10},
     cooldown_seconds: 60, actions: [{type: stop_trading}, {type: webhook, url: "${URL}"}], message: down}
  - {id: BREAKER, severity: CRITICAL, query: {metric: breaker, operator: "==", value: "OPEN"},
     actions: [{type: log}]}
  - {id: SPARE, enabled: false, severity: INFO, query: {metric: x, operator: ">", value: 0}}
webhook: {enabled: false, url: "${URL}"}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "tests.yaml").write_text(TESTS)
    return tmp_path


@pytest.mark.needs("promtool")
def test_promtool_and_we_agree(folder: Path, rollout: Rollout) -> None:
    """Where there is data, what holds is what Prometheus says."""
    theirs = subprocess.run(
        ["promtool", "test", "rules", "tests.yaml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert theirs.returncode == 0, theirs.stdout + theirs.stderr
    rows = rollout("rules", "test", folder / "tests.yaml", "-o", "json").json
    assert [row["result"] for row in rows] == ["PASS"] * 5


def test_an_expectation_that_is_not_met(folder: Path, rollout: Rollout) -> None:
    (folder / "tests.yaml").write_text(TESTS.replace("slice: tokyo}", "slice: osaka}"))
    told = rollout("rules", "test", folder / "tests.yaml", exits=1)
    assert "FAIL" in told.out
    assert "slice=tokyo" in told.out
    assert "slice=osaka" in told.out


@pytest.mark.needs("promtool")
@pytest.mark.parametrize(
    "expected", ["summary: osaka at 0.3, rollout_action: pause", "summary: tokyo at 0.3"]
)
def test_annotations_are_compared_as_a_whole(folder: Path, rollout: Rollout, expected: str) -> None:
    """What promtool finds wrong is wrong here: another text, and one that nobody expected."""
    text = TESTS.replace("summary: tokyo at 0.3, rollout_action: pause", expected)
    (folder / "tests.yaml").write_text(text)
    words = ["promtool", "test", "rules", "tests.yaml"]
    assert subprocess.run(words, cwd=folder, capture_output=True, check=False).returncode == 1
    rows = rollout("rules", "test", folder / "tests.yaml", "-o", "json", exits=1).json
    (failed,) = [row for row in rows if row["result"] == "FAIL"]
    assert "rollout_action=pause, summary=tokyo at 0.3" in failed["got"]
    assert expected.partition(",")[0].replace(": ", "=") in failed["expected"]


def test_a_file_of_another_kind(tmp_path: Path, rollout: Rollout) -> None:
    (tmp_path / "other.yaml").write_text(OTHER)
    told = rollout("rules", "convert", tmp_path / "other.yaml", "--out", tmp_path / "ours.yaml")
    assert "SPARE is switched off" in told.err
    assert "channel of the profile" in told.err
    rows = rollout("rules", "check", tmp_path / "ours.yaml", "-o", "json").json
    assert [(r["rule"], r["expr"], r["for"], r["action"]) for r in rows] == [
        ("WS_DOWN", "ws == 0", "10s", "pause halt"),
        ("BREAKER", 'breaker{state="OPEN"} == 1', "0s", "record"),
    ]
    (tmp_path / "other.yaml").write_text(OTHER.replace('operator: ">"', 'operator: "=>"'))
    told = rollout("rules", "convert", tmp_path / "other.yaml", exits=2)
    assert "other.yaml, line" in told.err
    assert "rules[2].query.operator" in told.err


def test_what_rules_would_have_done(folder: Path, bot: Rollout) -> None:
    """Last week, by rules that nobody had then; and nothing of it is recorded."""
    start = datetime(2025, 12, 1, tzinfo=UTC)
    lines = [
        {
            "metric": "ece",
            "labels": {"slice": "tokyo"},
            "value": 0.3 if 10 <= minute < 20 else 0.05,
            "at": (start + timedelta(minutes=minute)).isoformat(),
        }
        for minute in range(40)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    bot("metrics", "put", "bot", "--file", folder / "metrics.jsonl")
    before = bot("checkpoint").json["position"]
    told = bot(
        "rules", "replay", "bot", "--rules", folder / "rules.yaml", "--every", "1m",
        "--from", "2025-12-01T00:00:00Z", "--to", "2025-12-01T00:39:00Z", "-o", "json",
    )  # fmt: skip
    high = [
        row["event"]
        for row in told.json
        if "High" in row["what"]
        and row["event"] in {"AlertPending", "AlertFired", "AlertResolved"}
        and "NoData" not in row["what"]
    ]
    assert high == ["AlertPending", "AlertFired", "AlertResolved"]
    assert bot("checkpoint").json["position"] == before


def test_a_bad_line_is_named_and_nothing_is_recorded(tmp_path: Path, bot: Rollout) -> None:
    (tmp_path / "m.jsonl").write_text(
        '{"metric": "a", "value": 1}\n{"metric": "a", "value": "x"}\n'
    )
    before = bot("checkpoint").json["position"]
    told = bot("metrics", "put", "bot", "--file", tmp_path / "m.jsonl", exits=2)
    assert "line 2" in told.err
    assert bot("checkpoint").json["position"] == before
    bot("metrics", "put", "bot", "--file", tmp_path / "m.jsonl", "--skip-bad")
    rows = bot("metrics", "list", "bot", "-o", "json").json
    assert [(row["metric"], row["samples"], row["newest"]) for row in rows] == [("a", 1, "1")]


def test_the_past_is_replayed_in_the_mode_of_then(tmp_path: Path, bot: Rollout) -> None:
    """A rule for real did nothing while the bot was rehearsing, and what the watch provides is there."""
    (tmp_path / "real.yaml").write_text(
        """
groups:
  - name: g
    rules:
      - alert: Real
        expr: ece > 0.1
        labels: {severity: critical}
        annotations: {rollout_applies_in: mode=real}
      - alert: TooLong
        expr: rollout_alert_open_seconds{severity="critical"} > 600
        labels: {severity: critical}
"""
    )
    clock = tmp_path / "clock"
    start = datetime(2025, 12, 1, tzinfo=UTC)
    words = (
        "rules",
        "replay",
        "bot",
        "--rules",
        tmp_path / "real.yaml",
        "--every",
        "1m",
        "-o",
        "json",
    )
    fired = []
    for mode in ("mock", "real"):
        clock.write_text(start.isoformat())
        bot("switch", "bot", "--to", mode, "--yes", "--reason", "agreed", ROLLOUT_CLOCK=str(clock))
        for minute in range(20):
            clock.write_text((start + timedelta(minutes=minute)).isoformat())
            bot("metrics", "put", "bot", "ece=0.3", ROLLOUT_CLOCK=str(clock))
        span = ("--from", start.isoformat(), "--to", (start + timedelta(minutes=19)).isoformat())
        told = bot(*words, *span).json
        fired.append([row["what"] for row in told if row["event"] == "AlertFired"])
        start += timedelta(hours=1)
    assert fired[0] == []
    assert len(fired[1]) == 2
    assert "TooLong" in fired[1][1]
    assert "earlier time" in bot(*words, "--from", "1h", "--to", "2h", exits=2).err
