"""What is pending, unseen, open for too long: shown, told and acted upon, whoever is killed meanwhile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.commands import Rollout
from tests.support.watched import RULES, Desk


def listed(desk: Desk, alert: str) -> Any:
    rows = desk("alert", "list", "bot", "-o", "json").json
    return next((row for row in rows if row["alert"] == alert), None)


def told(desk: Desk) -> list[tuple[str, str]]:
    """Return what the channel was told, in order: alert and status."""
    file = desk.folder / "told.jsonl"
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    said = [json.loads(line) for line in lines if line.endswith("\n")]
    return [(one["alerts"][0]["labels"]["alertname"], one["status"]) for one in said]


def open_incident(desk: Desk, alert: str) -> Any:
    document = desk("incident", "export").json
    return next(one for one in document["incidents"] if one["why"]["rule"] == alert)


def test_a_critical_stays_open_while_its_watch_is_killed(tmp_path: Path, rollout: Rollout) -> None:
    """I14, I12: the half hour runs on through kill -9 and an acknowledgement; then it rolls back, once."""
    before, name, after = RULES.partition("CriticalOpenTooLong")
    rules = before + name + after.replace("rollout_action: pause", "rollout_action: rollback")
    desk = Desk(tmp_path, rollout, rules=rules)
    with desk.watched() as process:
        desk.until(lambda: "WatchStarted" in desk.happened())
        desk("alert", "raise", "bot", "WS_DISCONNECTED", "--severity", "critical")
        desk.until(lambda: ("WS_DISCONNECTED", "firing") in told(desk))
        process.kill()
        process.wait()
    desk("alert", "ack", "bot", "WS_DISCONNECTED", "--reason", "looking")
    shown = listed(desk, "WS_DISCONNECTED")
    assert shown["status"] == "acknowledged"
    assert "acknowledged by ann" in shown["flags"]
    desk.advance(1750 - shown["open_seconds"])
    with desk.watched():
        desk.until(lambda: desk.happened().count("WatchStarted") == 2, 0)
        assert desk.config() == "size: 9\n"
        desk.until(lambda: desk.config() == "size: 1\n")
        desk.until(lambda: "RollbackCompleted" in desk.happened())
    desk.once()
    assert desk.happened("RollbackCompleted") == ["RollbackCompleted"]
    assert listed(desk, "WS_DISCONNECTED")["open_seconds"] > 1800
    escalated = open_incident(desk, "CriticalOpenTooLong")
    assert escalated["action"].startswith("rollback to")
    assert escalated["who"]["id"] != "human:ann"
    assert desk("verify").code == 0


def test_what_is_pending_and_what_is_not_seen(tmp_path: Path, rollout: Rollout) -> None:
    """I8, I14: what vanishes holds, is shown with since when, is told, and does not run out."""
    desk = Desk(tmp_path, rollout)
    stats = desk.folder / "stats.json"
    desk.stats(ece=0.2, latency=400)
    for _ in range(2):
        desk.once(30)
    pending = listed(desk, "EceHigh")
    assert (pending["status"], pending["severity"]) == ("pending", "critical")
    assert pending["open_seconds"] == 30
    assert " 30 s " in desk("alert", "list", "bot").out
    assert listed(desk, "LatencyOdd")["status"] == "firing"
    stats.unlink()
    for _ in range(9):
        desk.once(30)
    pending, held = listed(desk, "EceHigh"), listed(desk, "LatencyOdd")
    assert pending["status"] == "pending"
    assert any(flag.startswith("no data since") for flag in pending["flags"])
    assert held["status"] == "firing"
    assert any(flag.startswith("no data since") for flag in held["flags"])
    assert listed(desk, "LatencyHigh")["status"] == "no_data"
    for unseen in ("EceHigh", "LatencyOdd", "LatencyHigh"):
        assert listed(desk, f"NoData({unseen})")["status"] == "firing"
        assert (f"NoData({unseen})", "firing") in told(desk)
    assert ("LatencyOdd", "resolved") not in told(desk)
    assert desk.config() == "size: 9\n"
    desk.stats(ece=0.2, latency=100)
    desk.once(30)
    assert listed(desk, "NoData(EceHigh)") is None
    assert listed(desk, "LatencyOdd") is None
    desk.once()
    assert ("LatencyOdd", "resolved") in told(desk)
    assert listed(desk, "EceHigh")["status"] == "pending"
    desk.once(45)
    assert desk.config() == "size: 1\n"


def test_metrics_before_and_after_what_was_done(tmp_path: Path, rollout: Rollout) -> None:
    """I8: of a mitigation, a pause and a rollback alike, over the declared window, once it has passed."""
    desk = Desk(tmp_path, rollout, rules=RULES.replace("for: 2m", "for: 0s"))
    desk.once()
    desk.stats(ece=0.3, latency=900)
    desk.once()
    assert desk.mode() == "paused"
    assert desk.config() == "size: 1\n"
    desk.stats(ece=0.02, latency=50)
    for _ in range(4):
        desk.once(40)
    desk.once(300)
    for alert, action in (
        ("LatencyOdd", "calm"), ("LatencyHigh", "paused/reduce_only"), ("EceHigh", "rollback to"),
    ):  # fmt: skip
        incident = open_incident(desk, alert)
        assert any(action in one["action"] for one in incident["actions"]), alert
        found = incident["metrics_before_after"]
        assert found["latency"] == {
            "before": 500, "after": 50, "window_s": 300, "samples_before": 2, "samples_after": 4,
        }  # fmt: skip
        assert found["ece"]["before"] > found["ece"]["after"]
        assert incident["metrics_note"] is None
