"""kill -9 of a supervisor, of its program, and of both; the next start finds out, once (I12)."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.commands import Rollout
from tests.support.outages import NOWHERE
from tests.support.running import python, run_words, running

ENDS = ("RunStopped", "CrashDetected")


@pytest.fixture
def bot(tmp_path: Path, embedded_dsn: str) -> Rollout:
    """A bot in real by its control file."""
    rollout = Rollout(
        tmp_path / "home", embedded_dsn, env={"ROLLOUT_YES": "1", "ROLLOUT_REASON": "go"}
    )
    rollout("system", "add", "bot", "--control-file", tmp_path / "mode.json")
    rollout("switch", "bot", "--to", "mock")
    rollout("switch", "bot", "--to", "real")
    return rollout


def mode(folder: Path) -> Any:
    told = json.loads((folder / "mode.json").read_text())
    return told["mode"], told.get("pause_kind")


def test_killed_between_the_record_and_the_start(bot: Rollout, tmp_path: Path) -> None:
    """I12: `run.after_intent`: it is on record, it never ran, and the next start says so, once."""
    started = tmp_path / "started"
    words = run_words(tmp_path, *python(f"open({str(started)!r}, 'w')"))
    bot(*words, fail_at="run.after_intent")
    assert not started.exists()
    assert [row["type"] for row in bot.log("bot", "RunStarted", *ENDS)] == ["RunStarted"]
    assert "was found dead" in bot(*words).err
    assert started.exists()
    assert [row["type"] for row in bot.log("bot", "RunStarted", *ENDS)] == [
        "RunStarted", "CrashDetected", "RunStarted", "RunStopped",
    ]  # fmt: skip


def test_recover_records_a_run_that_was_killed(bot: Rollout, tmp_path: Path) -> None:
    """I12: whoever recovers finds out as the next start does, once; it belongs to the run's operation."""
    words = run_words(tmp_path, *python("pass"))
    bot(*words, fail_at="run.after_intent")
    (told,) = bot("recover", "bot", "-o", "json").json[0]["abandoned"]
    assert "t1 ended without a word" in told
    assert bot("recover", "bot", "-o", "json").json[0]["abandoned"] == []
    assert "found dead" not in bot(*words).err
    rows = [json.loads(line) for line in bot("log", "bot", "-o", "jsonl").out.splitlines()]
    started, crashed, *again = (row for row in rows if row["type"] in {"RunStarted", *ENDS})
    assert started["operation"] == crashed["operation"] is not None
    assert [row["type"] for row in again] == ["RunStarted", "RunStopped"]
    assert again[0]["operation"] == again[1]["operation"] not in {None, started["operation"]}


def test_recover_leaves_a_run_that_lives_alone(bot: Rollout, tmp_path: Path) -> None:
    """Its locks say so: those of its supervisor, and that of a program which has outlived it."""
    with running(bot, tmp_path) as (supervisor, _):
        assert bot("recover", "bot", "-o", "json").json[0]["abandoned"] == []
        supervisor.kill()
        supervisor.wait(20)
        assert bot("recover", "bot", "-o", "json").json[0]["abandoned"] == []
    (told,) = bot("recover", "bot", "-o", "json").json[0]["abandoned"]
    assert "t1 ended without a word" in told


def test_a_program_that_outlives_its_supervisor_is_not_joined_by_a_second(
    bot: Rollout, tmp_path: Path
) -> None:
    """I12, lesson 8: two would trade on one account. Once it is dead, the recorded mode is restored."""
    with running(bot, tmp_path) as (supervisor, program):
        supervisor.kill()
        supervisor.wait(20)
        told = bot(*run_words(tmp_path, *python("pass"), tag="t2"), exits=5)
        assert f"process {program}" in told.err
        bot("pause", "bot", "--kind", "reduce-only")
        (tmp_path / "mode.json").unlink()
        os.kill(program, signal.SIGKILL)
        psutil.wait_procs([psutil.Process(program)] if psutil.pid_exists(program) else [], 10)
        bot(*run_words(tmp_path, *python("pass"), tag="t2"))
    assert mode(tmp_path) == ("paused", "reduce_only")
    (crash,) = bot.log("bot", "CrashDetected")
    assert "t1" in crash["sentence"]


def test_a_program_that_was_killed_crashed(bot: Rollout, tmp_path: Path) -> None:
    """The supervisor tells; the next start goes on in the mode that was last recorded."""
    with running(bot, tmp_path) as (supervisor, program):
        os.kill(program, signal.SIGKILL)
        assert supervisor.wait(20) == 128 + signal.SIGKILL
    assert ["SIGKILL" in row["sentence"] for row in bot.log("bot", *ENDS)] == [True]
    told = bot(*run_words(tmp_path, *python("import os; print(os.environ['EXEC_MODE'])")))
    assert "real" in told.out.splitlines()


def test_killed_without_the_ledger_it_starts_halted_again(bot: Rollout, tmp_path: Path) -> None:
    """I5, I12: nobody can tell the mode, so it is paused/halt; what was journalled comes in, once."""
    cut_off = Rollout(bot.home, NOWHERE)
    with running(cut_off, tmp_path) as (supervisor, program):
        supervisor.kill()
        os.kill(program, signal.SIGKILL)
        supervisor.wait(20)
    assert mode(tmp_path) == ("paused", "halt")
    cut_off(*run_words(tmp_path, *python("pass"), tag="t2"))
    bot("recover", "bot", exits=None)
    assert [row["type"] for row in bot.log("bot", "RunStarted", *ENDS)] == [
        "RunStarted", "RunStarted", "RunStopped",
    ]  # fmt: skip
    assert bot("status", "bot", "-o", "json", exits=None).json["mode"] == "paused"
