"""What went wrong elsewhere: the lessons and scenarios of docs/seeds.md that no other test is about."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from tests.support.commands import Rollout
from tests.support.plans import Desk

GOOD = "merge_tol_ms: 1500\n"


def test_who_has_left_is_still_named(bot: Rollout) -> None:
    """Lesson 4, scenario 9; I11: names are copied into events; nobody's leaving blanks what they did."""
    bot("pause", "bot", "--reason", "odd fills", ROLLOUT_ACTOR="human:ann.li")
    words = ("--reason", "looked at it", "--yes")
    bot("switch", "bot", "--to", "mock", *words, ROLLOUT_ACTOR="agent:assistant")
    # A year later nobody of that name is known anywhere; the log is all there is.
    rows = bot.log("bot", "ModeSwitched")[-2:]
    assert [row["actor"] for row in rows] == ["ann.li", "assistant"]
    shown = bot("show", str(rows[1]["position"]), "-o", "json").json
    assert (shown["actor"]["id"], shown["actor"]["kind"]) == ("assistant", "agent")


def test_a_rollback_when_it_is_there_already(bot: Rollout, tmp_path: Path) -> None:
    """Scenario 3; I16: nothing to do is said, and recorded nowhere; nothing is written."""
    before = (tmp_path / "config.yaml").stat().st_mtime_ns
    told = bot("rollback", "bot", "--to", "good", "--reason", "to be sure")
    assert told.out.startswith("skipped")
    assert bot.log("bot", "RollbackRequested") == []
    assert (tmp_path / "config.yaml").stat().st_mtime_ns == before


def test_a_rollback_with_only_failed_history(bot: Rollout, tmp_path: Path) -> None:
    """Scenario 4, lesson 5; I10: what is in quarantine is no way back, and "previous" is not "last good"."""
    for number in (7, 8, 9):
        (tmp_path / "next.yaml").write_text(f"size: {number}\n")
        bot(
            "config",
            "put",
            "bot",
            tmp_path / "next.yaml",
            "--as",
            "config.yaml",
            "--tag",
            f"v{number}",
        )
        bot("config", "apply", "bot", f"v{number}", "--reason", "new", "--yes")
        bot("config", "quarantine", "bot", f"v{number}", "--reason", "it lost money")
    bot("config", "quarantine", "bot", "good", "--reason", "it lost money, too")
    told = bot("rollback", "bot", "--last-stable", "--reason", "away from here", exits=None)
    assert told.code == 3
    assert "stable" in told.err
    assert (tmp_path / "config.yaml").read_text() == "size: 9\n"
    assert bot.log("bot", "RollbackRequested") == []


def test_the_same_alert_said_five_times_and_out_of_order(bot: Rollout) -> None:
    """Scenario 5; I16: who tells may tell again, and late; one alert, one incident, one end."""
    for _ in range(5):
        bot(
            "alert", "raise", "bot", "WS_DISCONNECTED", "--severity", "critical", "--reason", "hook"
        )
    bot("alert", "resolve", "bot", "WS_DISCONNECTED", "--reason", "hook")
    late = bot("alert", "resolve", "bot", "WS_DISCONNECTED", "--reason", "hook", exits=2)
    assert "no open alert" in late.err
    kinds = [row["type"] for row in bot.log("bot", "AlertFired", "AlertResolved", "IncidentOpened")]
    assert kinds == ["AlertFired", "IncidentOpened", "AlertResolved"]


def test_evidence_of_an_open_gate_is_not_deleted(bot: Rollout, embedded_dsn: str) -> None:
    """Scenario 13; I1: backups may go after 7 days; what a gate of 14 days is judged by is in the log."""
    bot("metrics", "put", "bot", "ece=0.05")
    delete = "DELETE FROM ledger.event WHERE type = 'MetricsRecorded'"
    with (
        psycopg.connect(embedded_dsn, autocommit=True) as superuser,
        pytest.raises(psycopg.Error, match="append-only"),
    ):
        superuser.execute(delete)
    assert bot("metrics", "list", "bot", "-o", "json").json[0]["samples"] == 1


def test_a_rollback_that_can_not_be_done_is_a_pause_and_does_not_flap(
    tmp_path: Path, rollout: Rollout
) -> None:
    """Lesson 7; I9, I10: nothing is guessed, something gives; and within its cooldown a rule acts once."""
    desk = Desk(tmp_path, rollout, "ofi-cvd-canary", GOOD)
    desk.put_file("config/ofi_cvd/prod.yaml", GOOD)
    desk.of("config", "put", tmp_path / "config.yaml", "--in-force")
    desk.adopt()
    desk.of("phase", "enter", "canary")
    with desk.trading() as bot, desk.watched():
        desk.of("switch", "--to", "mock")
        assert desk.preflight()["verdict"] == "GO"
        desk.of("switch", "--to", "real")
        bot.measures(platt_ece=0.05)
        desk.rounds(2)
        bot.measures(platt_ece=0.2)
        desk.until(lambda: desk.mode() == "paused", 30)
        assert desk.config() == GOOD
        bot.measures(platt_ece=0.05)
        desk.rounds(2)
        desk.of("switch", "--to", "mock")
        desk.of("switch", "--to", "real")
        bot.measures(platt_ece=0.2)
        desk.rounds(6, 30)
        assert desk.mode() == "real"
        assert "cools down until" in desk.watch_said()
        desk.advance(timedelta(minutes=30))
        bot.measures(platt_ece=0.05)
        desk.rounds(2)
        bot.measures(platt_ece=0.2)
        desk.until(lambda: desk.mode() == "paused", 30)
