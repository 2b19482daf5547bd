"""A watch lives for weeks: what it takes after ten thousands of rounds is what it took after the first."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any, Final, cast

import pytest

from tests.soak.played import INTERVAL_SECONDS
from tests.support.commands import Rollout
from tests.support.site import Handler, Site, open_site

FEW: Final = "400"
"""What the suite plays, unless ROLLOUT_TEST_ROUNDS says otherwise: `make soak` does."""
START: Final = int(time.time())
WARM_UP: Final = 0.4
"""The share of the rounds after which windows are full and everything is imported."""
GROWTH_BYTES_MAX: Final = 4 * 2**20
EXPOSED: Final = b"""# TYPE orders_total counter
orders_total{side="buy"} 41
latency_ms{quantile="0.95"} 12
"""
PROFILE: Final = """
profile: soak
environment: production
rules: [rules.yaml]
metrics:
  - {name: stats, kind: json_file, path: stats.json, values: {ece: ece, top: "levels[0]"}}
  - {name: orders, kind: jsonl_file, path: orders.jsonl}
  - {name: trades, kind: csv_file, path: trades.csv, time: time, metrics: {pnl: pnl}, label_columns: [venue]}
  - {name: lines, kind: log_file, path: bot.log, count: {alarms: "^ALARM"},
     values: {levels: 'Generated (\\d+)'}}
  - {name: bot, kind: prometheus_text, url: "SITE/metrics"}
  - {name: prom, kind: prometheus_api, url: "SITE", queries: {up_share: "avg(up)"}}
notify: [{name: desk, kind: file, path: told.jsonl, min_severity: info, repeat: 5m}]
inhibit:
  - {source_matchers: [alertname="EceHigh"], target_matchers: [alertname="Alarmed"]}
watch: {interval: 1m, lookback: 5m, dead_man: 10m}
"""
RULES: Final = """
groups:
  - name: slo
    rules:
      - {record: bot:pnl, expr: "avg_over_time(pnl[10m])"}
      - {alert: EceHigh, expr: ece > 0.1, for: 2m, keep_firing_for: 1m, labels: {severity: critical}}
      - {alert: Alarmed, expr: "increase(alarms[5m]) > 0"}
      - {alert: Losing, expr: "bot:pnl < 2"}
      - {alert: Slow, expr: "latency_ms > 500 or up_share < 1"}
      - {alert: Felt, expr: desk_feeling > 1}
"""


@pytest.fixture
def rollout(tmp_path: Path, embedded_dsn: str) -> Rollout:
    """The command line with a home and a ledger of its own."""
    return Rollout(tmp_path / "home", embedded_dsn)


def answer(handler: Handler) -> None:
    """Answer as a bot's endpoint and as a Prometheus do, whose clock goes with the play."""
    if handler.path.startswith("/metrics"):
        handler.answer(200, EXPOSED)
        return
    asked = cast("Site", handler.server).asked
    at = START + INTERVAL_SECONDS * len(asked) // 2
    result = {"resultType": "vector", "result": [{"metric": {}, "value": [at, "1"]}]}
    handler.answer(200, json.dumps({"status": "success", "data": result}).encode())


@pytest.mark.timeout(24 * 3600)
def test_a_watch_for_weeks_takes_no_more_than_on_its_first_day(
    tmp_path: Path, rollout: Rollout
) -> None:
    """B17: memory, descriptors and threads stay flat, with every kind of source, alerts and rotations."""
    rounds = os.environ.get("ROLLOUT_TEST_ROUNDS", FEW)
    (tmp_path / "rules.yaml").write_text(RULES)
    with open_site() as site:
        site.manner = answer
        (tmp_path / "plan.yaml").write_text(PROFILE.replace("SITE", site.url))
        rollout("system", "add", "bot", "--control-file", tmp_path / "mode.json", "--reason", "r")
        rollout("profile", "adopt", "bot", tmp_path / "plan.yaml", "--reason", "r")
        ended = subprocess.run(
            [sys.executable, "-m", "tests.soak.played", str(tmp_path), rounds],
            env=os.environ | {"ROLLOUT_HOME": str(rollout.home), "ROLLOUT_DSN": str(rollout.dsn)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2000:]
    measured: list[dict[str, Any]] = json.loads((tmp_path / "measured.json").read_text())
    assert measured[-1]["round"] >= int(rounds) - 10
    events = rollout.log(
        "bot", "AlertFired", "AlertResolved", "EvaluationFailed", "NotificationDelivered"
    )
    happened = {row["type"] for row in events}
    assert happened == {"AlertFired", "AlertResolved", "EvaluationFailed", "NotificationDelivered"}
    steady = [one for one in measured if one["round"] >= WARM_UP * int(rounds)]
    tenth = max(len(steady) // 4, 1)
    for what, growth in (("rss", GROWTH_BYTES_MAX), ("descriptors", 0), ("threads", 0)):
        before = median(one[what] for one in steady[:tenth])
        after = median(one[what] for one in steady[-tenth:])
        assert after - before <= growth, (what, [one[what] for one in measured])
