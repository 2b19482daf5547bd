"""What operators do, through the real command line, against a real system and a real PostgreSQL."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest

from ledger.clock import SystemClock
from ledger.domain.decision import Decision
from ledger.domain.events import DriftCleared
from ledger.domain.log.ids import Actor, ActorKind, Channel
from ledger.service.core.recorder import Origin, Recorder
from ledger.store.postgres import PostgresStore
from tests.support.admin_server import Handler, obey, running_system
from tests.support.commands import Rollout

GOOD = "grid:\n  levels: 5   # what has run well\nsize: 10\n"
BAD = "grid:\n  levels: 50\nsize: 100\n"
SECRET = "kH7dPq2sVn9xTz4wLm8cRb5yFg3jNa6e"  # made up


@pytest.fixture
def rollout(tmp_path: Path, embedded_dsn: str) -> Rollout:
    return Rollout(tmp_path / "home", embedded_dsn)


@pytest.fixture
def bot(tmp_path: Path, rollout: Rollout) -> Rollout:
    """A bot in mock, on its good configuration, marked stable."""
    (tmp_path / "config.yaml").write_text(GOOD)
    rollout(
        "system", "add", "bot", "--control-file", tmp_path / "mode.json",
        "--config-file", tmp_path / "config.yaml",
    )  # fmt: skip
    rollout(
        "config", "put", "bot", tmp_path / "config.yaml", "--stable", "--in-force", "--tag", "good"
    )
    rollout("switch", "bot", "--to", "mock", "--reason", "rehearsal", "--yes")
    return rollout


def apply_bad(bot: Rollout, tmp_path: Path) -> None:
    (tmp_path / "next.yaml").write_text(BAD)
    bot("config", "put", "bot", tmp_path / "next.yaml", "--as", "config.yaml", "--tag", "bad")
    bot("config", "apply", "bot", "bad", "--reason", "scale", "--yes")


def test_two_operators_at_once_and_a_pause_between(tmp_path: Path, rollout: Rollout) -> None:
    """I5, I9: the second is told who is at work; a pause waits for nobody, and has the last word."""
    arrived, go_on = threading.Event(), threading.Event()

    def slow(handler: Handler) -> None:
        if handler.system.posts[-1]["mode"] == "real":
            arrived.set()
            go_on.wait(20)
        obey(handler)

    with running_system() as system:
        rollout(
            "system",
            "add",
            "bot",
            "--http-admin",
            system.url,
            "--control-file",
            tmp_path / "m.json",
        )
        rollout("switch", "bot", "--to", "mock", "--reason", "rehearsal", "--yes")
        system.on_post = slow
        command = [
            sys.executable,
            "-m",
            "cli.main",
            "switch",
            "bot",
            "--to",
            "real",
            "--reason",
            "go",
            "--yes",
        ]
        env = os.environ | {"ROLLOUT_HOME": str(rollout.home), "ROLLOUT_DSN": str(rollout.dsn)}
        first = subprocess.Popen(
            command, env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert arrived.wait(20)
        other_machine = Rollout(tmp_path / "other", rollout.dsn, actor="human:bob")
        refused = other_machine("switch", "bot", "--to", "mock", "--reason", "no", "--yes", exits=5)
        assert "at work" in refused.err
        paused = threading.Thread(target=lambda: other_machine("pause", "bot", exits=None))
        paused.start()
        paused.join(20)
        go_on.set()
        first.communicate(timeout=30)
        deadline = time.monotonic() + 10
        while system.status["mode"] != "paused" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert system.status["mode"] == "paused"
        assert json.loads((tmp_path / "m.json").read_text())["mode"] == "paused"
        status = rollout("status", "bot", "-o", "json", exits=None).json
        assert status["mode"] == "paused"
        types = [row["type"] for row in rollout.log("bot", "ModeSwitchAbandoned", "ModeSwitched")]
        assert types == ["ModeSwitched", "ModeSwitched", "ModeSwitchAbandoned"]


def test_http_that_hangs_up_falls_back_to_the_control_file(
    tmp_path: Path, rollout: Rollout
) -> None:
    """Seed 001: HTTP preferred, the control file as the fallback; the event says which one took it."""
    with running_system() as system:
        url = system.url
    rollout("system", "add", "bot", "--http-admin", url, "--control-file", tmp_path / "mode.json")
    told = rollout("switch", "bot", "--to", "mock", "--reason", "r", "--yes", "-o", "json").json
    assert told["carried_by"] == "control_file"
    shown = rollout.log("bot", "ModeSwitched")[0]
    event = rollout("show", str(shown["position"]), "-o", "json").json
    answers = {a["actuator"]: a["outcome"] for a in event["data"]["attempts"]}
    assert answers == {"http_admin": "failed", "control_file": "took_it"}


def test_what_the_world_does_not_confirm_is_recorded_as_such(
    tmp_path: Path, rollout: Rollout
) -> None:
    """Exit code 6, ModeSwitchUnconfirmed, and the next pause still works."""

    def deaf(handler: Handler) -> None:
        handler.answer(200, b"{}")

    with running_system() as system:
        system.on_post = deaf
        rollout("system", "add", "bot", "--http-admin", system.url, "--confirm-timeout", "0.3")
        rollout("switch", "bot", "--to", "paused", "--reason", "r", exits=6)
        assert [row["type"] for row in rollout.log("bot", "ModeSwitchUnconfirmed")]
        system.on_post = obey
        rollout("pause", "bot")
        assert system.status["mode"] == "paused"


def test_a_rollback_is_byte_for_byte_and_keeps_mode_and_owner(bot: Rollout, tmp_path: Path) -> None:
    """Job 2: what comes back is what was there, to the byte, to the permission."""
    config = tmp_path / "config.yaml"
    config.chmod(0o600)
    apply_bad(bot, tmp_path)
    config.write_text(BAD + "# a hand-made note\nextra: 1\n")
    plan = bot("rollback", "bot", "--last-stable", "--dry-run", "-o", "json").json
    assert plan["would_append"][0]["event"] == "RollbackRequested"
    shown = {change["key"]: (change.get("old"), change.get("new")) for change in plan["changes"]}
    assert shown == {"extra": ("1", None), "grid.levels": ("50", "5"), "size": ("100", "10")}
    assert config.read_text().endswith("extra: 1\n")
    bot("rollback", "bot", "--last-stable", "--reason", "rejects")
    assert config.read_text() == GOOD
    assert config.stat().st_mode & 0o777 == 0o600
    kept = [row for row in bot("config", "list", "bot", "-o", "json").json if not row["tags"]]
    assert len(kept) == 1, "the hand-made edit was kept before it was overwritten"
    assert "extra: 1" in bot("config", "show", "bot", kept[0]["short"], "--file", "config.yaml").out


def test_pressing_rollback_twice_neither_bounces_nor_falls_further(
    bot: Rollout, tmp_path: Path
) -> None:
    """I10, I16."""
    (tmp_path / "older.yaml").write_text("grid: {levels: 3}\n")
    bot(
        "config",
        "put",
        "bot",
        tmp_path / "older.yaml",
        "--as",
        "config.yaml",
        "--tag",
        "older",
        "--stable",
    )
    bot("config", "stable", "bot", "good", exits=0)
    apply_bad(bot, tmp_path)
    bot("rollback", "bot", "--to", "good", "--reason", "rejects")
    assert (tmp_path / "config.yaml").read_text() == GOOD
    again = bot("rollback", "bot", "--last-stable", "--reason", "pressed twice")
    assert again.out.startswith("skipped (already back on the last stable")
    assert (tmp_path / "config.yaml").read_text() == GOOD
    bot("config", "apply", "bot", "bad", "--reason", "retry", "--yes", exits=3)


def test_without_anything_stable_a_rollback_refuses(rollout: Rollout, tmp_path: Path) -> None:
    """I10: no guess."""
    (tmp_path / "config.yaml").write_text(GOOD)
    rollout("system", "add", "bot", "--config-file", tmp_path / "config.yaml")
    rollout("config", "put", "bot", tmp_path / "config.yaml", "--in-force")
    told = rollout("rollback", "bot", "--last-stable", "--reason", "r", exits=3)
    assert "no stable configuration" in told.err
    assert "--to FINGERPRINT" in told.err


def test_a_disk_that_fills_during_a_rollback(bot: Rollout, tmp_path: Path) -> None:
    """I12: the file in place is untouched, the failure is on record, and it can be resumed."""
    big = "".join(f"key_{n}: {n}\n" for n in range(20_000))
    (tmp_path / "big.yaml").write_text(big)
    bot(
        "config",
        "put",
        "bot",
        tmp_path / "big.yaml",
        "--as",
        "config.yaml",
        "--tag",
        "big",
        "--stable",
    )
    before = (tmp_path / "config.yaml").read_text()
    command = [sys.executable, "-m", "cli.main", "rollback", "bot", "--to", "big", "--reason", "r"]
    env = os.environ | {"ROLLOUT_HOME": str(bot.home), "ROLLOUT_DSN": str(bot.dsn)}
    limit = len(big) // 2
    result = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert result.returncode == 1, result.stderr
    assert "can't be written" in result.stderr
    assert (tmp_path / "config.yaml").read_text() == before
    assert bot("rollback", "status", "bot", "-o", "json").json["failed"]
    bot("rollback", "resume", "bot")
    assert (tmp_path / "config.yaml").read_text() == big


def test_no_secret_is_stored_anywhere(rollout: Rollout, tmp_path: Path) -> None:
    """I6: not in the database, the home, an answer, or a file that is written back wrongly."""
    config = tmp_path / "config.yaml"
    text = f"api_secret: {SECRET}\nlevels: 5\n"
    config.write_text(text)
    rollout(
        "system", "add", "bot", "--config-file", config, "--control-file", tmp_path / "mode.json"
    )
    told = [rollout("config", "put", "bot", config, "--stable", "--in-force", "--tag", "good")]
    config.write_text(text.replace("levels: 5", "levels: 50"))
    told.append(rollout("config", "put", "bot", config, "--tag", "bad"))
    told.append(rollout("config", "apply", "bot", "bad", "--yes", "--reason", f"password={SECRET}"))
    told.append(
        rollout("alert", "raise", "bot", "X", "-m", f"token: {SECRET}", "--severity", "critical")
    )
    told.append(
        rollout(
            "rollback", "bot", "--last-stable", "--reason", f"key {SECRET} leaked: secret={SECRET}"
        )
    )
    assert config.read_text() == text, "the real value came back from the file in place"
    told += [
        rollout(*command)
        for command in (
            ["log", "bot"],
            ["config", "show", "bot", "good"],
            ["config", "blame", "bot"],
            ["config", "diff", "bot", "good", "bad"],
            ["incident", "export"],
            ["sql", "SELECT * FROM events"],
        )
    ]
    assert not [answer for answer in told if SECRET in answer.out + answer.err]
    leaks = [
        path
        for path in rollout.home.rglob("*")
        if path.is_file() and SECRET.encode() in path.read_bytes()
    ]
    assert leaks == []

    with psycopg.connect(str(rollout.dsn)) as connection:
        for query in (
            "SELECT count(*) FROM ledger.event WHERE position(%s::bytea IN body) > 0",
            "SELECT count(*) FROM ledger.blob WHERE position(%s::bytea IN bytes) > 0",
        ):
            row = connection.execute(query, (SECRET.encode(),)).fetchone()
            assert row == (0,)
    config.unlink()
    rollout("config", "stable", "bot", "bad", "--reason", "the next one was worse")
    refused = rollout("rollback", "bot", "--to", "bad", "--reason", "r", exits=3)
    assert "api_secret" in refused.err
    assert "environment" in refused.err
    rollout("rollback", "bot", "--to", "bad", "--reason", "r", ANY_NAME=SECRET)
    assert config.read_text() == text.replace("levels: 5", "levels: 50")


BAD_INPUT = [
    (["status", "nobody"], 2, "no system 'nobody'"),
    (["pause", "nobody"], 2, "no system 'nobody'"),
    (["config", "show", "bot", "ffffffff"], 2, "no configuration 'ffffffff'"),
    (["config", "tag", "bot", "good", "sha256"], 2, "can't be a tag"),
    (["at", "bot", "the day before"], 2, "the day before"),
    (["at", "bot", "#999999"], 2, "#999999"),
    (["config", "put", "bot", "/nonexistent.yaml"], 2, "/nonexistent.yaml"),
    (["switch", "bot", "--to", "mock"], 2, "reason"),
    (["switch", "bot", "--to", "real"], 3, "was never switched"),
    (["switch", "bot", "--to", "sideways"], 2, "sideways"),
    (["rollback", "bot", "--to", "#99999", "--reason", "r"], 2, "#99999"),
    (["rollback", "bot", "--reason", "r"], 2, "--last-stable"),
    (["alert", "ack", "bot", "NOPE"], 2, "no open alert 'NOPE'"),
    (["incident", "show", "INC-0"], 2, "INC-0"),
    (["system", "add", "Bad Name"], 2, "can't name a system"),
    (["system", "add", "x", "--http-admin", "http://u:pw@localhost"], 2, "password"),
    (["metrics", "put", "bot", "x=abc"], 2, "no number"),
    (["sql", "SELEC 1"], 2, "SELEC"),
    (["frobnicate"], 2, "frobnicate"),
    (["rolback"], 2, "rollback"),
]


@pytest.mark.parametrize(("command", "code", "said"), BAD_INPUT, ids=lambda value: str(value)[:40])
def test_bad_input_gets_one_clear_error(
    command: list[str], code: int, said: str, tmp_path: Path, embedded_dsn: str
) -> None:
    """Each names what was wrong; the documented exit code; never a traceback."""
    bot = Rollout(tmp_path / "home", embedded_dsn)
    (tmp_path / "config.yaml").write_text(GOOD)
    bot("system", "add", "bot", "--config-file", tmp_path / "config.yaml")
    bot("config", "put", "bot", tmp_path / "config.yaml", "--tag", "good")
    told = bot(*command, exits=code)
    assert said in told.err
    assert told.out == ""


def test_a_tag_never_moves_and_a_short_fingerprint_may_be_ambiguous(
    bot: Rollout, tmp_path: Path
) -> None:
    """Bad input: tag taken, ambiguous short fingerprint."""
    (tmp_path / "b.yaml").write_text(BAD)
    bot(
        "config", "put", "bot", tmp_path / "b.yaml", "--as", "config.yaml", "--tag", "good", exits=2
    )
    assert len(bot("config", "list", "bot", "-o", "json").json) == 1, "nothing was recorded"


def test_hand_made_edits_are_found_key_by_key(bot: Rollout, tmp_path: Path) -> None:
    """Drift: told without being recorded, recorded by recover, cleared when it is undone."""
    (tmp_path / "config.yaml").write_text(GOOD.replace("5", "7"))
    (tmp_path / "mode.json").write_text('{"mode": "real"}')
    rows = bot("drift", "bot", "-o", "json", exits=3).json
    assert {(row["subject"], row["key"], row["ledger"], row["world"]) for row in rows} == {
        ("mode", "", "mock", "control_file: real"),
        ("config", "grid.levels", "5", "7"),
    }
    assert bot.log("bot", "DriftDetected") == []
    bot("recover", "bot", exits=3)
    assert len(bot.log("bot", "DriftDetected")) == 2
    bot("recover", "bot", exits=3)
    assert len(bot.log("bot", "DriftDetected")) == 2, "the same drift is recorded once"
    bot("rollback", "bot", "--to", "good", "--reason", "undo the hand-made edit")
    bot("switch", "bot", "--to", "mock", "--reason", "undo", "--yes")
    bot("drift", "bot")


def test_a_switch_that_nothing_took_is_no_timeout(tmp_path: Path, rollout: Rollout) -> None:
    """Exit code 9: the file could not be written, so the world is as it was, and the log says so."""
    (tmp_path / "control").write_text("a file where a folder should be")
    rollout("system", "add", "bot", "--control-file", tmp_path / "control" / "mode.json")
    told = rollout("switch", "bot", "--to", "mock", "--reason", "r", "--yes", exits=9)
    assert "is not mock" in told.err
    assert "could not switch to mock" in rollout("log", "bot").out
    assert rollout("status", "bot", exits=3)


def test_pauses_without_the_ledger_tell_where_they_came_from(bot: Rollout) -> None:
    """I11, I13: each spooled pause has the one before it as its origin."""
    cut_off = Rollout(bot.home, "host=127.0.0.1 port=1 dbname=none user=none")
    for kind in ("halt", "drain", "reduce-only"):
        cut_off("pause", "bot", "--kind", kind)
    bot("recover", "bot")
    events = [
        bot("show", str(row["position"]), "-o", "json").json
        for row in bot.log("bot", "ModeSwitched")
    ]
    told = [(event["data"].get("from_kind"), event["data"]["to_kind"]) for event in events[1:]]
    assert told == [(None, "halt"), ("halt", "drain"), ("drain", "reduce_only")]


def test_a_long_unread_history_is_read_once(bot: Rollout) -> None:
    """The log may grow: what a command had to read, the next one on this machine need not."""
    assert bot.dsn is not None
    bot("status", "bot")
    append_unread(bot.dsn, 300)
    bot("pause", "bot", "--reason", "look")
    (kept,) = bot.home.glob("cache/*/systems/bot.json")
    assert json.loads(kept.read_bytes())["state"]["revision"] > 300


def append_unread(dsn: str, count: int) -> None:
    """Append what changes nothing, as another machine would."""
    store = PostgresStore(dsn)
    recorder = Recorder(store=store, clock=SystemClock(), redact=lambda text, **_: text)
    origin = Origin(Actor("x", "x", ActorKind.SERVICE), Channel.CLI)
    cleared = tuple(DriftCleared(subject="mode") for _ in range(count))
    recorder.decide("bot", lambda _: Decision(cleared), origin)
    store.close()


def test_the_control_file_has_a_usual_place(rollout: Rollout) -> None:
    """Seed 001's EXEC_CONTROL_FILE: --control-file without a value."""
    rollout("system", "add", "bot", "--control-file")
    shown = rollout("system", "show", "bot", "-o", "json").json
    assert shown["control_file"] == str(Path("data/control/mode.json").absolute())
