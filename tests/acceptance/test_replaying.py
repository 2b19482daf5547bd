"""A rule replayed over what was recorded gives what the watch did, a restart in between."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.commands import Rollout
from tests.support.watched import START, Desk

PROFILE = """
profile: canary
environment: production
rules: [rules/slo.yaml]
metrics:
  - {name: stats, kind: json_file, path: stats.json, values: {ece: ece, latency: latency}}
  - {name: orders, kind: jsonl_file, path: orders.jsonl}
watch: {interval: 15s, lookback: 1m, dead_man: 2m}
"""
RULES = """
groups:
  - name: slo
    rules:
      - {record: bot:reject_ratio, expr: rejects / orders}
      - alert: RejectTrend
        expr: min_over_time(bot:reject_ratio[1m]) > 0.2
        labels: {severity: critical}
      - alert: EceHigh
        expr: ece > 0.1
        for: 1m
        keep_firing_for: 30s
      - alert: LatencyHigh
        expr: latency > 500
        annotations: {rollout_no_data_for: 1m, rollout_no_data: fire}
      - alert: InRealOnly
        expr: latency > 100
        annotations: {rollout_applies_in: mode=real, rollout_action: pause}
"""
KINDS = (
    "AlertPending", "AlertFired", "AlertResolved", "AlertClearingBegun", "AlertClearingCancelled",
    "NoDataDetected", "DataReturned",
)  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path, rollout: Rollout) -> Desk:
    return Desk(tmp_path, rollout, profile=PROFILE, rules=RULES)


def traded(desk: Desk, rejects: float) -> None:
    """Have the bot log what it did, as of half a minute ago: it comes late."""
    at = (desk.now.timestamp()) - 30
    with (desk.folder / "orders.jsonl").open("a") as log:
        for metric, value in (("rejects", rejects), ("orders", 100)):
            log.write(json.dumps({"metric": metric, "value": value, "at": at}) + "\n")


def test_what_the_watch_did_is_what_its_rules_say_of_what_was_recorded(desk: Desk) -> None:
    """I14: fired, resolved, no data and back; a kill, ten minutes without a watch, late samples."""
    looks = [
        # ece, latency, rejects; None: nothing is measured
        (0.05, 50, 1), (0.2, 50, 30), (0.2, 50, 31), (0.2, 120, 32), (0.05, 120, 33), (0.2, 50, 30),
    ]  # fmt: skip
    with desk.watched() as process:
        for ece, latency, rejects in looks:
            traded(desk, rejects)
            desk.stats(ece=ece, latency=latency)
            assert desk.round(process)
        process.kill()
    for seconds, ece, latency, rejects in (
        (600, 0.2, 600, 30), (15, 0.2, 600, 1), (15, 0.2, None, 1), (15, 0.2, None, 40),
        (30, 0.05, None, 41), (30, 0.05, None, 42), (30, 0.05, 600, 43), (30, 0.05, 50, 1), (40, 0.3, 50, 1),
    ):  # fmt: skip
        traded(desk, rejects)
        desk.stats(ece=ece, **({} if latency is None else {"latency": latency}))
        desk.once(seconds)
    did = [
        (row["occurred_at"], row["type"], row["sentence"])
        for row in desk.rollout.log("bot", *KINDS)
        if "WatchWasSilent" not in row["sentence"]  # no rule says so
    ]
    span = ("--from", START.isoformat(), "--to", desk.now.isoformat())
    again = [
        (row["at"], row["event"], row["what"])
        for row in desk("rules", "replay", "bot", *span, "-o", "json").json
        if row["event"] in KINDS
    ]
    assert {kind for _, kind, _ in did} >= {
        "AlertPending",
        "AlertFired",
        "AlertResolved",
        "NoDataDetected",
    }
    assert again == did
