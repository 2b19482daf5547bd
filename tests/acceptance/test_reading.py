"""What the reading commands tell, through the real command line."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.commands import Rollout
from tests.support.postgres import PostgresServer

GOOD = "grid:\n  levels: 5\nsize: 10\n"
BAD = "grid:\n  levels: 50\nsize: 100\n"


@pytest.fixture(scope="module")
def night(
    tmp_path_factory: pytest.TempPathFactory, embedded_server: PostgresServer
) -> Iterator[Rollout]:
    """A night of one bot: rehearsed, live, scaled up, in trouble, rolled back, paused. Only read from."""
    folder = tmp_path_factory.mktemp("night")
    with embedded_server.fresh_ledger() as dsn:
        rollout = Rollout(folder / "home", dsn)
        (folder / "config.yaml").write_text(GOOD)
        (folder / "bad.yaml").write_text(BAD)
        rollout(
            "system", "add", "bot", "--control-file", folder / "mode.json",
            "--config-file", folder / "config.yaml",
        )  # fmt: skip
        rollout("system", "add", "calm/bot")
        rollout(
            "config",
            "put",
            "bot",
            folder / "config.yaml",
            "--stable",
            "--in-force",
            "--tag",
            "good",
        )
        rollout("switch", "bot", "--to", "mock", "--reason", "rehearsal", "--yes")
        rollout("switch", "bot", "--to", "real", "--reason", "go", "--yes")
        rollout("config", "put", "bot", folder / "bad.yaml", "--as", "config.yaml", "--tag", "bad")
        rollout("config", "apply", "bot", "bad", "--reason", "scale up", "--yes")
        rollout("alert", "raise", "bot", "HIGH", "--severity", "critical", "-m", "19 % rejected")
        rollout("rollback", "bot", "--last-stable", "--reason", "rejects")
        rollout("pause", "bot", "--reason", "still rejects")
        yield rollout


def test_status_is_degraded_while_a_critical_alert_is_open(night: Rollout) -> None:
    """Exit 3 and the reason, for people and for programs; a healthy system exits 0."""
    told = night("status", "bot", exits=3).out
    for fact in (
        "degraded",
        "paused/halt",
        "by ann: still rejects",
        "(good)",
        "stable",
        "HIGH critical",
        "INC-",
    ):
        assert fact in told
    seen = night("status", "bot", "-o", "json", exits=3).json
    assert seen["problems"] == ["the critical alert HIGH is open: 19 % rejected"]
    assert seen["config"]["tags"] == ["good"]
    assert night("status", "calm/bot", "-o", "json").json["health"] == "healthy"
    rows = night("status", "-o", "json", exits=3).json
    assert [(row["system"], row["health"]) for row in rows] == [
        ("bot", "degraded"),
        ("calm/bot", "healthy"),
    ]
    assert "calm/bot" in night("status", exits=3).out
    assert "no system 'nobody'" in night("status", "nobody", exits=2).err


def test_the_log_tells_who_what_when_why(night: Rollout) -> None:
    """Newest last, filtered, in every format."""
    table = night("log", "bot").out
    assert "ann" in table
    assert "switched mock → real, by control_file" in table
    rows = night("log", "bot", "-o", "json").json
    assert [row["position"] for row in rows] == sorted(row["position"] for row in rows)
    assert {row["actor"] for row in rows} == {"ann"}
    lines = night("log", "bot", "--type", "Mode*", "-o", "jsonl").out.splitlines()
    assert {json.loads(line)["type"] for line in lines} == {"ModeSwitchRequested", "ModeSwitched"}
    read = list(
        csv.DictReader(io.StringIO(night("log", "bot", "--type", "AlertFired", "-o", "csv").out))
    )
    assert [row["sentence"] for row in read] == ["raised the critical alert HIGH: 19 % rejected"]
    assert night("log", "bot", "--actor", "nobody", "-o", "json").json == []
    assert night("log", "bot", "--since", "1h", "--until", "now", "-o", "json").json == rows
    assert night("log", "bot", "--until", "yesterday", "-o", "json").json == []
    assert (
        night("log", "calm/bot", "--text", "REGISTERED", "-o", "json").json[0]["system"]
        == "calm/bot"
    )
    limited = night("log", "--limit", "2")
    assert "--limit 0" in limited.err
    assert "is no time" in night("log", "--since", "soon", exits=2).err


def test_the_history_of_a_key_and_of_a_configuration(night: Rollout) -> None:
    """Down to one key: what each change made of it, and nothing of the other keys."""
    rows = night("log", "bot", "--key", "grid", "-o", "json").json
    assert [row["changes"] for row in rows] == [
        [{"key": "grid.levels", "old": None, "new": "5"}],
        [{"key": "grid.levels", "old": "5", "new": "50"}],
        [{"key": "grid.levels", "old": "50", "new": "5"}],
    ]
    assert (
        "grid.levels 50 → 5 (put back configuration"
        in night("log", "bot", "--key", "grid.levels").out
    )
    under_bad = night("log", "bot", "--fingerprint", "bad", "-o", "json").json
    assert "AlertFired" in {row["type"] for row in under_bad}
    assert len({row["fingerprint"] for row in under_bad}) == 1


def test_following_shows_what_comes_in(night: Rollout) -> None:
    """`log -f`: the past, then every new event once, until it is interrupted."""
    environment = os.environ | {"ROLLOUT_HOME": str(night.home), "ROLLOUT_DSN": str(night.dsn)}
    command = [sys.executable, "-m", "cli.main", "log", "calm/bot", "-f", "-o", "jsonl"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["type"] == "SystemRegistered"
        night("alert", "raise", "calm/bot", "LOW", "--severity", "info", "-m", "a little late")
        night("alert", "resolve", "calm/bot", "LOW", "--reason", "over")
        types = [json.loads(process.stdout.readline())["type"] for _ in range(2)]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert types == ["AlertFired", "AlertResolved"]


def test_watching_shows_a_change(night: Rollout) -> None:
    """`status -w`: once at the start, again when something changed."""
    environment = os.environ | {"ROLLOUT_HOME": str(night.home), "ROLLOUT_DSN": str(night.dsn)}
    command = [sys.executable, "-m", "cli.main", "status", "calm/bot", "-w", "-o", "json"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["open_alerts"] == 0
        night("alert", "raise", "calm/bot", "LOW", "--severity", "info", "-m", "a little late")
        assert json.loads(process.stdout.readline())["open_alerts"] == 1
        night("alert", "resolve", "calm/bot", "LOW", "--reason", "over")
        assert json.loads(process.stdout.readline())["open_alerts"] == 0
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130


def test_an_event_is_shown_whole_and_its_hash_recomputed(night: Rollout) -> None:
    """I3 for one event: by position or by id, with its own hash recomputed."""
    by_position = night("show", "#2", "-o", "json").json
    assert by_position["hash"] == "verified"
    assert night("show", by_position["event_id"], "-o", "json").json == by_position
    assert '"environment": "production"' in night("show", "2").out
    assert "no event 99999" in night("show", "99999", exits=2).err
    assert "neither a position nor an event id" in night("show", "x", exits=2).err


def test_the_state_as_of_any_moment(night: Rollout) -> None:
    """By position and by time: what the state was, not what it is."""
    rows = night("log", "bot", "-o", "json").json
    real = next(
        row for row in rows if row["type"] == "ModeSwitched" and "mock → real" in row["sentence"]
    )
    position, at = real["position"], real["occurred_at"]
    for when in (f"#{position}", at):
        told = night("at", "bot", when, "-o", "json").json
        assert told["state"]["mode"] == "real"
        assert told["state"]["alerts"] == {}
    assert night("at", "bot", f"#{position - 1}", "-o", "json").json["state"]["mode"] == "mock"
    recorded = night("at", "bot", real["recorded_at"], "--by", "recorded", "-o", "json").json
    assert recorded["state"]["position"] == position
    assert "mode         real" in night("at", "bot", f"#{position}").out
    assert "was not there yet" in night("at", "bot", "2020-01-01", exits=2).err
    assert "no system" in night("at", "nobody", "now", exits=2).err
    assert "ends at" in night("at", "bot", "#99999", exits=2).err


def test_explain_tells_the_chain_and_the_way_back(night: Rollout) -> None:
    """Why is it paused? Who, when, why, after what; and what would bring it back to real."""
    told = night("explain", "bot").out
    for fact in (
        "bot is paused/halt", 'asked for paused/halt, saying "still rejects"',
        "raised the critical alert HIGH",
        "opened the critical incident", "began a rollback", "put back configuration", "the incident INC-",
        "rollout resume bot", "rollout switch bot --to real",
    ):  # fmt: skip
        assert fact in told
    seen = night("explain", "bot", "-o", "json").json
    assert [event["type"] for event in seen["config_because"]] == [
        "AlertFired", "IncidentOpened", "RollbackRequested", "ConfigApplied",
    ]  # fmt: skip
    calm = night("explain", "calm/bot").out
    assert "never been switched" in calm
    assert "Nothing is open" in calm


def test_projections_are_shown_rebuilt_and_verified(night: Rollout) -> None:
    """I7, by the command line: the same after a rebuild; what was tampered with is named, exit 7."""
    rows = night("projections", "status", "-o", "json").json
    assert {row["behind"] for row in rows} == {0}
    document = (night.home / "incidents.json").read_bytes()
    assert night("projections", "rebuild", "-o", "json").json["outcome"] == "rebuilt"
    assert (night.home / "incidents.json").read_bytes() == document
    assert night("projections", "verify", "-o", "json").json["outcome"] == "identical"
    with psycopg.connect(str(night.dsn), autocommit=True) as owner:
        owner.execute("UPDATE readmodel.alert SET severity = 'info'")
    told = night("projections", "verify", exits=7)
    assert "readmodel.alert" in told.err
    assert "severity=info" in told.err
    night("projections", "rebuild")
    assert night("projections", "verify").out.startswith("identical")


def test_incidents_json_is_put_back_when_it_is_gone_or_touched(night: Rollout) -> None:
    """The file in the home follows the log, whoever deletes or edits it."""
    path: Path = night.home / "incidents.json"
    document = path.read_bytes()
    path.unlink()
    night("status", exits=None)
    assert path.read_bytes() == document
    path.write_bytes(b"{}")
    night("status", exits=None)
    assert path.read_bytes() == document
