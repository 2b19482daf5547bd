"""Supervised runs: real programs, real signals, kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.support.commands import Rollout
from tests.support.outages import NOWHERE

PROFILE = """
profile: small
environment: production
checks: [{name: backtest, kind: json_thresholds, path: backtest.json, values: {sharpe: {min: 0.2}}}]
phases: [{name: micro, exposure: {size: 20}}]
"""


def run(rollout: Rollout, tmp_path: Path, *command: str, exits: int | None = 0, **env: str) -> Any:
    return rollout(
        "run", "bot", "--out", tmp_path / "out", "--countdown", "0", "--run-tag", "t1",
        "--reason", "go", "--", *command, exits=exits, **env,
    )  # fmt: skip


def python(text: str) -> tuple[str, ...]:
    return sys.executable, "-c", text


def mode(tmp_path: Path) -> str:
    return str(json.loads((tmp_path / "mode.json").read_text())["mode"])


def test_a_run_says_what_ran_and_how_it_ended(bot: Rollout, tmp_path: Path) -> None:
    """The first line of the log names the fingerprint; run_tag.txt stands where scripts look."""
    told = run(
        bot, tmp_path, *python("import os; print(os.environ['RUN_TAG'], os.environ['EXEC_MODE'])")
    )
    first, second = told.out.splitlines()[:2]
    assert first.startswith("run_tag=t1 config_fingerprint=")
    assert "mode=mock" in first
    assert second == "t1 mock"
    assert (tmp_path / "out" / "run_tag.txt").read_text() == "t1\n"
    report = json.loads((tmp_path / "out" / "stop_report.json").read_text())
    assert report["ended"] == "exit code 0"
    assert [row["type"] for row in bot.log("bot", "RunStarted", "RunStopped", "CrashDetected")] == [
        "RunStarted", "RunStopped",
    ]  # fmt: skip
    assert "backup point: #" in told.err


def test_an_exit_that_nobody_asked_for_is_a_crash(bot: Rollout, tmp_path: Path) -> None:
    run(bot, tmp_path, *python("import sys; sys.exit(7)"), exits=7)
    run(bot, tmp_path, *python("import os, signal; os.kill(os.getpid(), 9)"), exits=137)
    rows = bot.log("bot", "CrashDetected")
    assert ["exit code 7" in rows[0]["sentence"], "SIGKILL" in rows[1]["sentence"]] == [True, True]


def test_a_signal_without_a_name_is_recorded_too(bot: Rollout, tmp_path: Path) -> None:
    """I12: a run that was begun ends in the log, whatever ended it."""
    number = signal.SIGRTMIN + 6
    run(bot, tmp_path, *python(f"import os; os.kill(os.getpid(), {number})"), exits=128 + number)
    (row,) = bot.log("bot", "CrashDetected")
    assert "SIGRTMIN+6" in row["sentence"]


def test_a_run_tag_is_one_line(bot: Rollout, tmp_path: Path) -> None:
    """Scripts read run_tag.txt, people the first line of the log: neither may say more than the tag."""
    told = bot("run", "bot", "--run-tag", "t1\nmode=real", "--", *python("pass"), exits=2)
    assert "run tag" in told.err
    assert bot.log("bot", "RunStarted") == []


def test_a_pause_during_the_countdown_counts(bot: Rollout, tmp_path: Path) -> None:
    """I9: what somebody decided last is what the program finds, and what is recorded of its start."""
    bot("switch", "bot", "--to", "real", "--reason", "go", "--yes")
    env = os.environ | {"ROLLOUT_HOME": str(bot.home), "ROLLOUT_DSN": str(bot.dsn)}
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "run", "bot", "--out", str(tmp_path / "out"),
         "--countdown", "5", "--", *python("import os; print(os.environ['EXEC_MODE'])")],
        env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if "starting in" in line:
            bot("pause", "bot", "--reason", "not now")
            break
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out.splitlines()[1:] == ["paused"]
    assert "mode=paused/halt" in out
    (row,) = bot.log("bot", "RunStarted")
    assert (
        json.loads(bot("show", str(row["position"]), "-o", "json").out)["data"]["mode"] == "paused"
    )


def test_the_last_mode_is_restored_and_never_a_more_exposed_one(
    bot: Rollout, tmp_path: Path
) -> None:
    """Lesson 8: a pause survives the process; and a safer mode set by hand stays."""
    bot("pause", "bot", "--kind", "reduce-only")
    (tmp_path / "mode.json").unlink()
    run(bot, tmp_path, *python("pass"))
    assert mode(tmp_path) == "paused"
    bot("resume", "bot", "--reason", "r", "--yes")
    (tmp_path / "mode.json").write_text('{"mode": "paused"}')
    told = run(bot, tmp_path, *python("pass"))
    assert mode(tmp_path) == "paused"
    assert "that stays" in told.err


def test_without_the_ledger_it_runs_halted(bot: Rollout, tmp_path: Path) -> None:
    """Nobody can tell which mode it may be in: paused/halt, and the record comes in later."""
    bot("switch", "bot", "--to", "real", "--reason", "go", "--yes")
    cut_off = Rollout(bot.home, NOWHERE)
    told = run(cut_off, tmp_path, *python("import os; print(os.environ['EXEC_MODE'])"))
    assert "paused" in told.out.splitlines()
    assert mode(tmp_path) == "paused"
    bot("recover", "bot")
    assert [row["type"] for row in bot.log("bot", "RunStarted", "RunStopped")] == [
        "RunStarted", "RunStopped",
    ]  # fmt: skip


def test_no_go_starts_nothing(bot: Rollout, tmp_path: Path) -> None:
    """I8: the checks of the plan come first; the risk parameters are shown beside their limits."""
    (tmp_path / "plan.yaml").write_text(PROFILE)
    bot("profile", "adopt", "bot", tmp_path / "plan.yaml")
    bot("phase", "enter", "bot", "micro", exits=None, ROLLOUT_YES="1", ROLLOUT_REASON="go")
    backtest = Path("backtest.json")
    touch = tmp_path / "started"
    starts = python(f"open({str(touch)!r}, 'w')")
    told = run(bot, tmp_path, *starts, exits=3)
    assert "NO_GO" in told.err
    assert not touch.exists()
    assert not backtest.exists()


def test_a_program_that_is_not_there(bot: Rollout, tmp_path: Path) -> None:
    """Nothing was prepared for it, and nothing is on record: it is no crash."""
    told = run(bot, tmp_path, "no-such-program", exits=2)
    assert "no-such-program can't be started" in told.err
    assert not (tmp_path / "out").exists()
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF, and no program")
    broken.chmod(0o755)
    run(bot, tmp_path, str(broken), exits=2)
    run(bot, tmp_path, *python("pass"))
    types = [r["type"] for r in bot.log("bot", "RunStarted", "RunStopped", "CrashDetected")]
    assert types == ["RunStarted", "RunStopped"] * 2


def test_the_countdown_can_be_stopped(bot: Rollout, tmp_path: Path) -> None:
    """Five seconds to think again; then nothing was started, and nothing is on record."""
    env = os.environ | {"ROLLOUT_HOME": str(bot.home), "ROLLOUT_DSN": str(bot.dsn)}
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "run", "bot", "--out", str(tmp_path / "out"), "--",
         *python("pass")],
        env=env, text=True, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if "starting in" in line:
            process.send_signal(signal.SIGINT)
            break
    time.sleep(0)
    assert process.wait(20) == 130
    process.stderr.close()
    assert bot.log("bot", "RunStarted") == []
