"""The ledger hangs, dies, is full, is another one; the home is read-only, gone, tampered with."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ledger.store.embedded import EmbeddedPostgres
from tests.support.commands import Rollout
from tests.support.outages import NOWHERE, away, frozen
from tests.support.postgres import PostgresServer, new_folder


def mode(tmp_path: Path) -> str:
    return str(json.loads((tmp_path / "mode.json").read_text())["mode"])


@pytest.fixture
def alone(home: Path, tmp_path: Path) -> Rollout:
    """A bot with an embedded server of its own, that may be hurt."""
    rollout = Rollout(home, None)
    rollout("system", "add", "bot", "--control-file", tmp_path / "mode.json")
    rollout("switch", "bot", "--to", "mock", "--reason", "r", "--yes")
    return rollout


@pytest.mark.as_root
def test_a_pause_while_the_ledger_hangs(alone: Rollout, tmp_path: Path) -> None:
    """I5: it gives up on the ledger, acts, and the record comes in later with its own time."""
    with frozen(alone.home):
        started = time.monotonic()
        told = alone("pause", "bot", "--reason", "rejects")
        assert time.monotonic() - started < 15
        assert mode(tmp_path) == "paused"
        assert "not yet in the ledger" in told.err
    alone("recover", "bot")
    assert [row["reason"] for row in alone.log("bot", "ModeSwitched")] == ["r", "rejects"]


def test_a_pause_when_the_ledger_hangs_in_the_middle(bot: Rollout, tmp_path: Path) -> None:
    """I5: connected, then nothing: the append lock is held by a session that does nothing."""
    with psycopg.connect(str(bot.dsn)) as stuck:
        stuck.execute("LOCK TABLE ledger.event IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        bot("pause", "bot", "--reason", "rejects")
        assert time.monotonic() - started < 15
        assert mode(tmp_path) == "paused"
        stuck.rollback()
    bot("recover", "bot")
    assert bot("status", "bot", "-o", "json", exits=None).json["mode"] == "paused"


def test_a_pause_while_the_read_models_are_locked(bot: Rollout, tmp_path: Path) -> None:
    """I5, I7: a rebuild that swaps, or a read model that is broken, is no reason to wait."""
    bot("status", "bot", exits=None)
    with psycopg.connect(str(bot.dsn)) as stuck:
        stuck.execute("LOCK TABLE readmodel.system_state IN ACCESS EXCLUSIVE MODE")
        told = bot("pause", "bot", "--reason", "rejects", "-o", "json")
        assert told.json["spooled"] is False
    assert mode(tmp_path) == "paused"


@pytest.mark.as_root
def test_a_pause_after_the_server_was_killed(alone: Rollout, tmp_path: Path) -> None:
    """I5, I12: kill -9 of the embedded server; the pause starts it again, or does without."""
    pid = EmbeddedPostgres(alone.home).status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    alone("pause", "bot", "--reason", "rejects")
    assert mode(tmp_path) == "paused"
    alone("recover", "bot")
    assert alone("status", "bot", "-o", "json", exits=None).json["mode"] == "paused"


def test_a_pause_with_a_database_that_holds_no_ledger(bot: Rollout, tmp_path: Path) -> None:
    """I5: whatever is wrong with the ledger (missing, newer, forbidden) stops no pause."""
    with psycopg.connect(str(bot.dsn), autocommit=True) as admin:
        admin.execute("ALTER TABLE ledger.alembic_version RENAME TO gone")
        bot("pause", "bot", "--reason", "rejects")
        assert mode(tmp_path) == "paused"
        admin.execute("ALTER TABLE ledger.gone RENAME TO alembic_version")
    bot("recover", "bot")
    assert bot.log("bot", "ModeSwitched")[-1]["reason"] == "rejects"


def test_one_home_two_ledgers(
    bot: Rollout, tmp_path: Path, embedded_server: PostgresServer
) -> None:
    """I5: staging's bot is not production's; neither the memory nor the spool takes one for the other."""
    with embedded_server.fresh_ledger() as other_dsn:
        staging = Rollout(bot.home, other_dsn)
        staging("system", "add", "bot", "--control-file", tmp_path / "staging.json")
        staging("switch", "bot", "--to", "mock", "--reason", "r", "--yes")
        with away(str(bot.dsn)):
            bot("pause", "bot", "--reason", "production is on fire")
        assert mode(tmp_path) == "paused"
        assert json.loads((tmp_path / "staging.json").read_text())["mode"] == "mock"
        staging("recover", "bot")
        assert len(staging.log("bot", "ModeSwitched")) == 1
        bot("recover", "bot")
        assert bot.log("bot", "ModeSwitched")[-1]["reason"] == "production is on fire"
        unknown = Rollout(bot.home, NOWHERE)
        told = unknown("pause", "bot", exits=9)
        assert "--control-file" in told.err


def test_a_pause_that_can_be_recorded_nowhere_says_so(bot: Rollout, tmp_path: Path) -> None:
    """I5: it acts; it does not claim a record that there is none of; exit code 3."""
    (bot.home / "spool").write_text("a file where the folder belongs")
    told = Rollout(bot.home, NOWHERE)("pause", "bot", "--reason", "r", "-o", "json", exits=3)
    assert mode(tmp_path) == "paused"
    assert told.json["spooled"] is None
    assert "not recorded, not even here" in told.err
    assert "will be appended" not in told.err


def test_a_disk_without_room_stops_no_pause(bot: Rollout, tmp_path: Path) -> None:
    """I5: without a journal it goes on; where not even the mode can be written, it says so: 6."""
    command = [sys.executable, "-m", "cli.main", "pause", "bot", "--reason", "r"]
    env = os.environ | {"ROLLOUT_HOME": str(bot.home), "ROLLOUT_DSN": NOWHERE}
    result = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )  # fmt: skip
    assert result.returncode == 9, result.stderr
    assert "Traceback" not in result.stderr
    assert "can't be written" in result.stderr
    assert mode(tmp_path) == "mock"


def test_a_rollback_that_can_not_be_journalled_touches_nothing(
    bot: Rollout, tmp_path: Path
) -> None:
    """I5: only a pause may go unrecorded."""
    (tmp_path / "next.yaml").write_text("size: 100\n")
    bot("config", "put", "bot", tmp_path / "next.yaml", "--as", "config.yaml", "--tag", "bad")
    bot("config", "apply", "bot", "bad", "--reason", "r", "--yes")
    (bot.home / "spool").write_text("a file where the folder belongs")
    Rollout(bot.home, NOWHERE)("rollback", "bot", "--last-stable", "--reason", "r", exits=1)
    assert (tmp_path / "config.yaml").read_text() == "size: 100\n"


def test_a_spool_that_was_tampered_with_blocks_nobody(bot: Rollout, tmp_path: Path) -> None:
    """Bad payloads never reach the log: they are set aside, and all else goes on."""
    Rollout(bot.home, NOWHERE)("pause", "bot", "--reason", "real")
    spool = bot.home / "spool" / "spool.jsonl"
    lines = spool.read_text().splitlines()
    forged = json.loads(lines[1])
    body = json.loads(forged["body"])
    body["data"]["to_mode"] = "yolo"
    forged |= {"body": json.dumps(body), "event_id": "01a1fb64-0000-7d85-a2fc-af906d804a4a"}
    spool.write_text("\n".join([*lines, json.dumps(forged), '{"half": 1}', "[]", '"x"']) + "\n")
    told = bot("recover", "bot")
    assert "set aside" in told.err
    assert bot.log("bot", "ModeSwitched")[-1]["reason"] == "real"
    assert "yolo" not in bot("log", "bot").out
    assert "yolo" in next((bot.home / "spool").glob("set-aside-*")).read_text()


def test_a_pause_by_hand_of_what_nobody_registered(bot: Rollout, tmp_path: Path) -> None:
    """I5, I12: it is recorded as it happened, and stands in nobody's way."""
    cut_off = Rollout(bot.home, NOWHERE)
    cut_off("pause", "stranger", "--control-file", tmp_path / "stranger.json", "--reason", "r")
    assert json.loads((tmp_path / "stranger.json").read_text())["mode"] == "paused"
    cut_off("pause", "Bad Name", "--control-file", tmp_path / "x.json", exits=2)
    rows = bot("recover", "-o", "json", exits=3).json
    assert {row["system"] for row in rows} == {"bot", "stranger"}
    told = {row["system"]: row["problems"] for row in rows}
    assert told["bot"] == []
    assert "no system 'stranger'" in told["stranger"][0]
    bot("system", "list")
    bot("status", exits=None)


def test_a_pause_by_hand_does_not_change_how_the_system_is_known(
    bot: Rollout, tmp_path: Path
) -> None:
    """I5: the way that was named once is not taken for the registered one afterwards."""
    cut_off = Rollout(bot.home, NOWHERE)
    cut_off("pause", "bot", "--control-file", tmp_path / "elsewhere.json", "--reason", "r")
    cut_off("pause", "bot", "--reason", "r")
    assert mode(tmp_path) == "paused"
    (tmp_path / "config.yaml").write_text("size: 1\n")
    cut_off("rollback", "bot", "--last-stable", "--reason", "r")
    assert "levels: 5" in (tmp_path / "config.yaml").read_text()


def test_recover_tells_each_system_of_its_own_spool(bot: Rollout, tmp_path: Path) -> None:
    """I13: what waited for one system is not claimed of another, in the log for ever."""
    bot("system", "add", "other", "--control-file", tmp_path / "other.json")
    Rollout(bot.home, NOWHERE)("pause", "bot", "--reason", "r")
    rows = {row["system"]: row["spooled"] for row in bot("recover", "-o", "json").json}
    assert rows == {"bot": 2, "other": 0}
    assert bot.log("other", "StateRecovered") == []


def test_a_pause_without_the_ledger_mitigates_too(bot: Rollout) -> None:
    """incidents.json: what stopped the harm is told, also when the ledger was away."""
    bot("alert", "raise", "bot", "REJECTS", "--severity", "critical")
    bot("status", "bot", exits=None)
    Rollout(bot.home, NOWHERE)("pause", "bot", "--reason", "rejects")
    bot("recover", "bot")
    incident = json.loads(bot("incident", "export").out)["incidents"][0]
    assert (incident["status"], incident["action"]) == ("mitigated", "paused/halt")


# Becomes another user after its imports: the interpreter may lie where only root can read it.
AS_NOBODY = """
import os, pkgutil, sys
import cli.commands.modes, cli.main, encodings.utf_8_sig, psycopg, tenacity
import ledger.actuators, ledger.configuration, ledger.domain, ledger.service, ledger.store, projections
for package in (ledger.actuators, ledger.configuration, ledger.domain, ledger.service, ledger.store):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        __import__(module.name)
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(54321); os.setuid(54321)
cli.main.main(sys.argv[1:])
"""


@pytest.fixture
def for_all() -> Iterator[Path]:
    """A folder of the test's own in which anybody may write; the way to it stands open already."""
    folder = new_folder()
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.as_root
@pytest.mark.parametrize("by_hand", [False, True])
def test_a_user_without_a_name_or_a_home_may_pause(
    by_hand: bool, rollout: Rollout, for_all: Path
) -> None:
    """I5: a container's random user id, a home that can't even be looked into."""
    control = for_all / "mode.json"
    rollout("system", "add", "bot", "--control-file", control)
    rollout("switch", "bot", "--to", "mock", "--reason", "rehearsal", "--yes")
    if os.geteuid() == 0:
        os.chown(control, 54321, 54321)
    rollout.home.chmod(0o000)
    more = ["--control-file", str(control)] if by_hand else []
    env = {key: value for key, value in os.environ.items() if key not in {"USER", "LOGNAME"}}
    result = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, "pause", "bot", "--reason", "r", *more],
        env=env | {"ROLLOUT_HOME": str(rollout.home), "ROLLOUT_DSN": NOWHERE},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    rollout.home.chmod(0o700)
    assert "should not" not in result.stderr
    assert "Traceback" not in result.stderr
    assert result.returncode == (3 if by_hand else 9), result.stderr
    assert mode(for_all) == ("paused" if by_hand else "mock")
