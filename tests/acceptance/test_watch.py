"""The watch over a real system, through the real command line; its clock is moved by the test."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from tests.support.commands import KILLED, Rollout
from tests.support.outages import away, frozen
from tests.support.watched import RULES, Desk


@pytest.fixture
def desk(tmp_path: Path, rollout: Rollout) -> Desk:
    return Desk(tmp_path, rollout)


def test_a_rule_rolls_back_to_the_last_stable_fingerprint(desk: Desk) -> None:
    """I9, I14: the clock of `for` runs on from one process to the next; each firing acts once."""
    desk.once()
    desk.stats(ece=0.2, latency=100)
    for _ in range(8):
        desk.once()
    assert desk.config() == "size: 9\n"
    desk.once()
    assert desk.config() == "size: 1\n"
    assert desk.mode() == "real"
    desk.once()
    assert desk.happened("RollbackCompleted") == ["RollbackCompleted"]
    assert desk.happened("AlertActionTaken") == ["AlertActionTaken"]
    (incident,) = desk("incident", "export").json["incidents"]
    assert "rollback" in incident["action"]
    why = incident["why"]
    assert (why["rule"], why["expr"], why["threshold"]) == ("EceHigh", "ece > 0.1", "0.1")
    assert (why["for"], why["observed"]) == ("120s", "0.2")


def test_a_rollback_that_finds_nothing_to_go_back_to_pauses(desk: Desk) -> None:
    """07, I9: it was rolled back for this before, and it fires again on what it went back to."""
    rules = desk.folder / "rules" / "slo.yaml"
    rules.write_text(RULES.replace("for: 2m", "for: 0s").replace("rollout_cooldown: 30m, ", ""))
    desk("profile", "adopt", "bot", desk.folder / "plan.yaml")
    for ece, mode in ((0.2, "real"), (0.05, "real"), (0.9, "paused")):
        desk.stats(ece=ece, latency=100)
        desk.once()
        assert (desk.config(), desk.mode()) == ("size: 1\n", mode)
    assert desk.happened("AlertActionTaken") == ["AlertActionTaken"] * 3
    told = desk.rollout.log("bot", "AlertActionTaken")
    assert any("there is nothing to go back to: paused/halt" in row["sentence"] for row in told)


def test_what_helps_nothing_is_followed_by_what_does(desk: Desk) -> None:
    """I9, I31: told again and louder, and paused; no switch to real before its cause is gone."""
    rules = desk.folder / "rules" / "slo.yaml"
    rules.write_text(RULES.replace("for: 2m", "for: 0s").replace("30m", "10m"))
    desk("profile", "adopt", "bot", desk.folder / "plan.yaml")
    desk.stats(ece=0.2, latency=100)
    desk.once()
    assert (desk.config(), desk.mode()) == ("size: 1\n", "real")
    desk.once(590)
    assert desk.mode() == "real"
    desk.once(20)
    assert desk.mode() == "paused"
    alerts = desk("alert", "list", "bot", "-o", "json").json
    louder = next(one for one in alerts if one["alert"] == "StillFiring(EceHigh)")
    assert louder["severity"] == "critical"
    assert "after the rollback at" in louder["message"]
    desk.once()
    assert "StillFiring(EceHigh)" in (desk.folder / "told.jsonl").read_text()
    assert desk.happened("AlertActionTaken") == ["AlertActionTaken"] * 2
    desk("switch", "bot", "--to", "mock")
    assert "EceHigh of bot is firing" in desk("switch", "bot", "--to", "real", exits=3).err
    desk.stats(ece=0.05, latency=100)
    desk.once()
    assert desk("alert", "list", "bot", "-o", "json").json == []
    desk("switch", "bot", "--to", "real")


RECORDED = """
groups:
  - name: slo
    rules:
      - {record: bot:ece, expr: ece * 2}
      - alert: Trend
        expr: min_over_time(bot:ece[5m]) > 0.3 and count_over_time(bot:ece[5m]) >= 4
        annotations: {rollout_action: pause}
"""


def test_what_recording_rules_found_counts_after_a_restart(
    tmp_path: Path, rollout: Rollout
) -> None:
    """14, I14: each round is a process of its own, and the window over a recorded series is full."""
    desk = Desk(tmp_path, rollout, rules=RECORDED)
    desk.stats(ece=0.2, latency=100)
    for mode in ("real", "real", "real", "paused"):
        desk.once()
        assert desk.mode() == mode
    rows = desk("metrics", "list", "bot", "-o", "json").json
    assert [row["samples"] for row in rows if row["metric"] == "bot:ece"] == [4]


def test_a_running_watch_sees_what_anybody_records(desk: Desk) -> None:
    """I31, A3: evidence that is put by hand is evidence to the watch that runs."""
    profile = desk.folder / "plan.yaml"
    lines = [line for line in profile.read_text().splitlines() if "metrics:" not in line]
    profile.write_text("\n".join(line for line in lines if "name: stats" not in line))
    desk("profile", "adopt", "bot", profile)
    with desk.watched() as process:
        assert desk.round(process)
        assert desk.mode() == "real"
        desk("metrics", "put", "bot", "latency=900")
        assert desk.round(process)
        assert desk.round(process)
        assert desk.mode() == "paused"


def test_a_rule_never_overrides_a_later_decision_of_a_person(desk: Desk) -> None:
    """I9: it fired, the watch died before it acted, and somebody decided meanwhile."""
    desk.stats(ece=0.05, latency=600)
    desk.once(exits=KILLED, ROLLOUT_FAIL_AT="watch.before_act")
    assert desk.mode() == "real"
    desk("switch", "bot", "--to", "mock")
    desk("switch", "bot", "--to", "real")
    desk.once()
    assert desk.mode() == "real"
    rows = desk.rollout.log("bot", "AlertActionTaken")
    assert any("a person has decided" in row["sentence"] for row in rows)


@pytest.mark.parametrize("place", ["watch.after_evaluate", "watch.before_act", "watch.after_act"])
def test_killed_in_a_round_the_next_one_finishes(desk: Desk, place: str) -> None:
    """I12: whoever comes next finds the alert firing and not acted upon, and acts, once."""
    desk.stats(ece=0.05, latency=600)
    desk.once(exits=KILLED, ROLLOUT_FAIL_AT=place)
    desk.once()
    assert desk.mode() == "paused"
    assert desk.happened("AlertFired").count("AlertFired") <= 2  # LatencyHigh and LatencyOdd
    switches = [r for r in desk.rollout.log("bot", "ModeSwitched") if "paused" in r["sentence"]]
    assert len(switches) == 1


@pytest.mark.parametrize("place", ["mitigate.after_intent", "mitigate.after_act"])
def test_a_mitigation_is_told_and_ends_by_itself(desk: Desk, place: str) -> None:
    """I12: killed on the way, the next round tells it; after its time it is lifted."""
    desk.stats(ece=0.05, latency=400)
    desk.once(exits=KILLED, ROLLOUT_FAIL_AT=place)
    desk.once()
    told = json.loads((desk.folder / "mitigations.json").read_text())["mitigations"]
    assert [one["kind"] for one in told] == ["pause_calibration"]
    desk.stats(ece=0.05, latency=100)
    desk.once(601)
    assert json.loads((desk.folder / "mitigations.json").read_text())["mitigations"] == []
    assert desk.happened("MitigationLifted") == ["MitigationLifted"]
    assert desk.mode() == "real"


def test_the_gravest_action_wins_and_a_pause_is_not_softened(desk: Desk) -> None:
    """I9: paused/drain stays, though a rule asks for reduce_only."""
    desk("pause", "bot", "--kind", "drain")
    desk.stats(ece=0.05, latency=600)
    desk.once()
    told = json.loads((desk.folder / "mode.json").read_text())
    assert told.get("pause_kind", told.get("kind")) == "drain"
    assert any("already paused/drain" in r["sentence"] for r in desk.rollout.log("bot"))


def test_a_critical_alert_that_nobody_closes_escalates(desk: Desk) -> None:
    """Seeds: a critical open for more than 30 minutes. Here by hand, so no rule acts on itself."""
    desk("alert", "raise", "bot", "WS_DISCONNECTED", "--severity", "critical")
    desk.once()
    assert desk.mode() == "real"
    desk.once(1801)
    assert desk.mode() == "paused"


def test_an_escalation_does_not_keep_itself_open(desk: Desk) -> None:
    """It is critical itself, and stays open for longer than it waits: it must not count itself."""
    desk("alert", "raise", "bot", "WS_DISCONNECTED", "--severity", "critical")
    desk("alert", "ack", "bot", "WS_DISCONNECTED")  # which says that somebody looks, no more
    desk.once(1801)
    desk.once(1900)
    desk("alert", "resolve", "bot", "WS_DISCONNECTED")
    desk.once()
    assert desk("alert", "list", "bot", "-o", "json").json == []


def test_a_critical_that_nobody_closes_rolls_back(tmp_path: Path, rollout: Rollout) -> None:
    """Seeds: a P1 that is open for 30 minutes goes back to the last stable fingerprint."""
    name, _, rest = RULES.partition("CriticalOpenTooLong")
    rules = (
        name
        + "CriticalOpenTooLong"
        + rest.replace("rollout_action: pause", "rollout_action: rollback")
    )
    desk = Desk(tmp_path, rollout, rules=rules)
    desk("alert", "raise", "bot", "WS_DISCONNECTED", "--severity", "critical")
    desk.once(1800)
    assert desk.config() == "size: 9\n"
    desk.once(1)
    assert desk.config() == "size: 1\n"


def test_a_rule_cools_down(tmp_path: Path, rollout: Rollout) -> None:
    """No second action of a rule within its cooldown; people see why, and the alert stays open."""
    rules = RULES.replace(
        "{rollout_action: pause,", "{rollout_action: pause, rollout_cooldown: 10m,", 1
    )
    desk = Desk(tmp_path, rollout, rules=rules)
    desk.stats(ece=0.05, latency=600)
    desk.once()
    assert desk.mode() == "paused"
    desk("resume", "bot")
    desk("switch", "bot", "--to", "real")
    desk.stats(ece=0.05, latency=100)
    desk.once()
    desk.stats(ece=0.05, latency=600)
    desk.once()
    assert desk.mode() == "real"
    assert any("cools down until" in row["sentence"] for row in desk.rollout.log("bot"))
    desk.stats(ece=0.05, latency=100)
    desk.once(601)
    desk.stats(ece=0.05, latency=600)
    desk.once()
    assert desk.mode() == "paused"


def test_kill_criteria_are_the_phases(desk: Desk) -> None:
    """A kill criterion counts in its phase, and only there."""
    desk.stats(ece=0.05, latency=9500)
    desk("alert", "silence", "bot", "LatencyHigh", "--for", "1h", "--hold-actions")
    desk.once()
    assert desk.mode() == "real"
    desk("phase", "enter", "bot", "shadow")
    desk.once()
    assert desk.mode() == "paused"


def test_notifications_are_recorded(desk: Desk) -> None:
    desk.stats(ece=0.05, latency=600)
    desk.once()
    lines = (desk.folder / "told.jsonl").read_text().splitlines()
    assert {json.loads(line)["commonLabels"]["alertname"] for line in lines} >= {"LatencyHigh"}
    assert "NotificationDelivered" in desk.happened()


def test_one_at_a_time_and_the_watch_is_watched(desk: Desk) -> None:
    """Lesson 9: the evaluator has a sign of life, and its silence is an alert."""
    with desk.watched() as process:
        desk.until(lambda: "WatchStarted" in desk.happened())
        assert "watches over bot already" in desk.once(exits=5).err
        desk("watch", "bot", "--check")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert "WatchStopped" in desk.happened()
    desk.advance(600)
    assert "NOT watched" in desk("watch", "bot", "--check", exits=3).out
    desk.once()
    assert "WatchWasSilent" in desk("log", "bot").out


def test_status_tells_of_a_watch_that_died(desk: Desk) -> None:
    """Lesson 9: a watch that was killed says nothing itself, so the status does."""
    with desk.watched() as process:
        desk.until(lambda: "WatchStarted" in desk.happened())
        assert "nobody watches" not in desk("status", "bot", exits=None).out
        process.kill()
    desk.advance(600)
    told = desk("status", "bot", exits=None).out
    assert "✖ nobody watches: no sign of life for 10m" in told
    watch = desk("status", "bot", "-o", "json", exits=None).json["rollout"]["watch"]
    assert watch["silent_seconds"] >= 600
    assert watch["last_sign"].endswith("Z")


def test_a_hand_made_edit_is_seen(desk: Desk) -> None:
    desk.once()
    (desk.folder / "config.yaml").write_text("size: 99\n")
    desk.once()
    assert "DriftDetected" in desk.happened()


def test_it_goes_on_without_the_ledger(desk: Desk) -> None:
    """I5: Postgres is away, a rule pauses all the same, and the record comes in afterwards, once."""
    with desk.watched() as process:
        desk.until(lambda: "WatchStarted" in desk.happened())
        with away(str(desk.rollout.dsn)):
            desk.stats(ece=0.05, latency=600)
            desk.until(lambda: desk.mode() == "paused")
            assert process.poll() is None
        desk.stats(ece=0.05, latency=100)
        desk.until(lambda: "AlertActionTaken" in desk.happened())
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    paused = [r for r in desk.rollout.log("bot", "ModeSwitched") if "paused" in r["sentence"]]
    assert len(paused) == 1
    desk("verify")


@pytest.mark.as_root
def test_it_goes_on_while_the_server_hangs(tmp_path: Path, home: Path) -> None:
    """A4, I33: the server is stopped; the rule pauses in seconds, and SIGTERM ends the watch."""
    desk = Desk(tmp_path, Rollout(home, None))
    with desk.watched() as process:
        assert desk.round(process)
        with frozen(home):
            desk.stats(ece=0.05, latency=600)
            began = time.monotonic()
            desk.advance(15)
            while desk.mode() != "paused":
                assert time.monotonic() - began < 20
                time.sleep(0.05)
            assert desk.round(process)
        assert desk.round(process, 60)  # and the lease is its own again
        desk.until(lambda: "AlertActionTaken" in desk.happened())
        with frozen(home):
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
    desk("recover", "bot")
    assert desk.happened("WatchStarted", "WatchStopped") == ["WatchStarted", "WatchStopped"]
