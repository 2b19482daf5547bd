"""A bot under watch through the real command line, by a clock that the test moves."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ledger.service.watch.heartbeat import last_beat
from tests.support.commands import Rollout, Told, start

START = datetime(2025, 12, 1, tzinfo=UTC)
PROFILE = """
profile: canary
environment: production
rules: [rules/slo.yaml]
metrics:
  - {name: stats, kind: json_file, path: stats.json, values: {ece: ece, latency: latency}}
mitigations:
  calm: {kind: pause_calibration, expires: 10m}
notify: [{name: desk, kind: file, path: told.jsonl, min_severity: info}]
watch: {interval: 15s, lookback: 1m, dead_man: 2m}
phases:
  - {name: shadow, kill: [{name: dead, expr: "latency > 9000", action: pause, pause_kind: drain}]}
"""
RULES = """
groups:
  - name: slo
    rules:
      - alert: EceHigh
        expr: ece > 0.1
        for: 2m
        labels: {severity: critical}
        annotations: {rollout_action: rollback, rollout_cooldown: 30m, summary: "ECE {{ $value }}"}
      - alert: LatencyHigh
        expr: latency > 500
        annotations: {rollout_action: pause, rollout_pause_kind: reduce_only}
      - alert: LatencyOdd
        expr: latency > 300
        annotations: {rollout_action: mitigate, rollout_mitigation: calm}
      - alert: CriticalOpenTooLong
        expr: rollout_alert_open_seconds{severity="critical"} > 1800
        labels: {severity: critical}
        annotations: {rollout_action: pause}
"""


class Desk:
    """A bot in real on a configuration that is not stable, with a stable one to go back to."""

    def __init__(
        self, tmp_path: Path, rollout: Rollout, *, profile: str = PROFILE, rules: str = RULES
    ) -> None:
        self.folder = tmp_path
        self.rollout = rollout
        self._clock = tmp_path / "clock"
        self.now = START
        self.advance(0)
        (tmp_path / "rules").mkdir()
        (tmp_path / "rules" / "slo.yaml").write_text(rules)
        (tmp_path / "plan.yaml").write_text(profile)
        (tmp_path / "config.yaml").write_text("size: 1\n")
        self.stats(ece=0.05, latency=100)
        self("system", "add", "bot", "--control-file", tmp_path / "mode.json", "--config-file",
             tmp_path / "config.yaml", "--mitigation-file", tmp_path / "mitigations.json")  # fmt: skip
        self("config", "put", "bot", tmp_path / "config.yaml", "--in-force", "--stable")
        self("switch", "bot", "--to", "mock")
        self("switch", "bot", "--to", "real")
        (tmp_path / "next.yaml").write_text("size: 9\n")
        self("config", "put", "bot", tmp_path / "next.yaml", "--as", "config.yaml", "--tag", "bad")
        self("config", "apply", "bot", "bad")
        self("profile", "adopt", "bot", tmp_path / "plan.yaml")

    @property
    def environment(self) -> dict[str, str]:
        return {"ROLLOUT_CLOCK": str(self._clock), "ROLLOUT_YES": "1", "ROLLOUT_REASON": "agreed"}

    def __call__(self, *words: str | Path, exits: int | None = 0, **env: str) -> Told:
        return self.rollout(*words, exits=exits, **{**self.environment, **env})

    def stats(self, **values: float) -> None:
        (self.folder / "stats.json").write_text(json.dumps(values))

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        staged = self.folder / "clock.next"
        staged.write_text(self.now.isoformat())
        staged.rename(self._clock)

    def once(self, seconds: float = 15, exits: int | None = 0, **env: str) -> Told:
        """Let time pass, and have one round watched."""
        self.advance(seconds)
        return self("watch", "bot", "--once", "--base", self.folder, exits=exits, **env)

    def mode(self) -> Any:
        return json.loads((self.folder / "mode.json").read_text())["mode"]

    def config(self) -> str:
        return (self.folder / "config.yaml").read_text()

    def happened(self, *types: str) -> list[str]:
        return [row["type"] for row in self.rollout.log("bot", *types)]

    @contextmanager
    def watched(self, **more: str) -> Iterator[subprocess.Popen[str]]:
        """Have a watch run as a process of its own, with ``more`` in its environment."""
        env = os.environ | self.environment | {"ROLLOUT_HOME": str(self.rollout.home)}
        env |= {"ROLLOUT_DSN": self.rollout.dsn} if self.rollout.dsn else {}
        env |= more
        process = start(("watch", "bot", "--base", self.folder), env=env)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def round(self, process: subprocess.Popen[str], seconds: float = 15) -> bool:
        """Let time pass until the watch has looked once more; return whether it lives."""
        self.advance(seconds)
        deadline = time.monotonic() + 40
        while (last_beat(self.rollout.home, "bot") or START) < self.now:
            if process.poll() is not None:
                return False
            assert time.monotonic() < deadline, "it lives, and does not look"
            time.sleep(0.02)
        return True

    def until(self, holds: Callable[[], bool], seconds: float = 15) -> None:
        """Move the clock on, round by round, until ``holds``."""
        deadline = time.monotonic() + 40
        while not holds():
            assert time.monotonic() < deadline
            self.advance(seconds)
            time.sleep(0.1)
