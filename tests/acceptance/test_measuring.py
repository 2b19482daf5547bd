"""Measured values through the command line: sources tried, files that grow, values on stdin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Rollout
from tests.support.watched import START, Desk

PROFILE = """
profile: canary
environment: production
metrics:
  - {name: stats, kind: json_file, path: stats.json, values: {ece: ece}}
  - {name: rows, kind: csv_file, path: rows.csv, time: at, metrics: {edge: edge}, label_columns: [slice]}
"""
ALERTS = """
rules: [rules/slo.yaml]
"""
RULES = """
groups:
  - name: slo
    rules:
      - {alert: EceHigh, expr: ece > 0.1, for: 2m, labels: {severity: critical}}
"""


@pytest.fixture
def desk(tmp_path: Path, rollout: Rollout) -> Desk:
    return Desk(tmp_path, rollout, profile=PROFILE + ALERTS, rules=RULES)


def test_sources_are_tried_before_they_are_relied_on(tmp_path: Path, rollout: Rollout) -> None:
    """A profile that nobody adopted needs no ledger; nothing is recorded; what fails is named."""
    (tmp_path / "plan.yaml").write_text(PROFILE)
    (tmp_path / "stats.json").write_text('{"ece": 0.07}')
    nowhere: dict[str, Any] = {"ROLLOUT_DSN": "postgresql://nobody@127.0.0.1:1/none"}
    ours = ("metrics", "sample", "--plan", tmp_path / "plan.yaml", "--base", tmp_path, "-o", "json")
    told = rollout(*ours, "--source", "stats", exits=0, **nowhere)
    assert [(row["source"], row["metric"], row["value"]) for row in told.json] == [
        ("stats", "ece", "0.07")
    ]
    told = rollout(*ours, exits=1, **nowhere)
    assert len(told.json) == 1
    assert "rows.csv does not exist" in told.err
    told = rollout(*ours, "--source", "statz", exits=2, **nowhere)
    assert "It has: stats, rows" in told.err


def test_of_an_adopted_plan_nothing_is_recorded(desk: Desk) -> None:
    """I16: looking is not recording."""
    before = desk("checkpoint").json["position"]
    told = desk("metrics", "sample", "bot", "--source", "stats", "--base", desk.folder)
    assert "0.05" in told.out
    assert desk("checkpoint").json["position"] == before


def test_a_file_that_grows_is_recorded_once(desk: Desk) -> None:
    """Each round is a process of its own here, and none records again what another one has."""
    rows = desk.folder / "rows.csv"
    rows.write_text(f"at,slice,edge\n{START.isoformat()},tokyo,0.1\n")
    desk.once()
    with rows.open("a") as file:
        file.write(f"{desk.now.isoformat()},tokyo,0.2\n")
    desk.once()
    desk.once()
    listed = desk("metrics", "list", "bot", "-o", "json").json
    (edge,) = [row for row in listed if row["metric"] == "edge"]
    assert (edge["samples"], edge["newest"], edge["labels"]) == (2, "0.2", {"slice": "tokyo"})


def test_what_is_not_seen_is_listed(desk: Desk) -> None:
    """I8: a source that fails, a rule without data and a pending alert stand in every list."""
    desk.once()
    (desk.folder / "stats.json").write_text("{")
    for _ in range(20):
        desk.once()
    listed = {row["alert"]: row for row in desk("alert", "list", "bot", "-o", "json").json}
    assert listed["source:stats"]["status"] == "failing"
    assert "it can't be understood" in listed["source:stats"]["message"]
    assert listed["EceHigh"]["status"] == "no_data"
    desk.stats(ece=0.3)
    desk.once()
    listed = {row["alert"]: row for row in desk("alert", "list", "bot", "-o", "json").json}
    assert listed["EceHigh"]["status"] == "pending"
    assert listed["EceHigh"]["severity"] == "critical"
    assert "source:stats" not in listed
    assert "EceHigh holds since" in desk("explain", "bot").out
    assert "source:rows can't be evaluated" in desk("explain", "bot").out
    assert "pending" in desk("alert", "list", "bot").out


def test_values_on_stdin(bot: Rollout) -> None:
    """JSON lines of an exporter: all of them, or with a bad one none."""
    good = '{"metric": "ece", "value": 0.2, "labels": {"slice": "tokyo"}, "at": 1764547200}\n'

    def put(content: bytes) -> subprocess.CompletedProcess[bytes]:
        env = {
            "ROLLOUT_HOME": str(bot.home),
            "ROLLOUT_DSN": str(bot.dsn),
            "ROLLOUT_ACTOR": bot.actor,
        }
        return subprocess.run(
            [sys.executable, "-m", "cli.main", "metrics", "put", "bot", "--file", "-"],
            input=content, env={**os.environ, **env}, capture_output=True, check=False,
        )  # fmt: skip

    assert put(good.encode() * 3).returncode == 0
    bad = put(good.encode() + b'{"metric": "ece", "value": NaN}\n')
    assert (bad.returncode, b"line 2 is no sample" in bad.stderr) == (2, True)
    garbage = put(b"\xff\xfe\x00garbage\n")
    assert garbage.returncode == 2
    assert b"Traceback" not in garbage.stderr
    listed = bot("metrics", "list", "bot", "--since", "2025-11-30T00:00:00Z", "-o", "json").json
    (ece,) = [row for row in listed if row["metric"] == "ece"]
    assert (ece["samples"], ece["labels"]) == (3, {"slice": "tokyo"})
    assert datetime.fromisoformat(ece["at"]) == datetime(2025, 12, 1, tzinfo=UTC)
    assert json.loads(good)["value"] == float(ece["newest"])


def test_a_metric_that_no_rule_could_name_is_refused(tmp_path: Path, bot: Rollout) -> None:
    """By hand, and in a line of a file; numbers are told apart from names."""
    assert "'9z' is no name of a metric" in bot("metrics", "put", "bot", "9z=1", exits=2).err
    assert "'x' is no number" in bot("metrics", "put", "bot", "z=x", exits=2).err
    lines = tmp_path / "m.jsonl"
    lines.write_text(json.dumps({"metric": "a b", "value": 1}))
    told = bot("metrics", "put", "bot", "--file", lines, exits=2)
    assert "line 1 is no sample: 'a b' is no name of a metric" in told.err
    bot("metrics", "put", "bot", "z:y_1=1")
    (row,) = bot("metrics", "list", "bot", "-o", "json").json
    assert row["at"].endswith("Z")
