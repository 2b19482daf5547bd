"""What a person at the desk sees and types: completion, the question for a yes, tables, warnings."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import Rollout


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("rollout pause ", {"bot"}),
        ("rollout rollback ", {"bot", "status", "resume", "abandon"}),
        ("rollout rollback bot --to ", {"good"}),
        ("rollout config show bot ", {"good"}),
        ("rollout profile copy poly", {"polyarb-x"}),
    ],
)
def test_the_shell_completes(bot: Rollout, words: str, offered: set[str]) -> None:
    """Systems and tags are offered, also as an option's value, and where sub-commands stand beside."""
    told = bot(
        _ROLLOUT_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(words.count(" "))
    )  # fmt: skip
    assert offered <= {line.partition(",")[2] for line in told.out.splitlines()}


def test_a_no_at_the_terminal_changes_nothing(bot: Rollout) -> None:
    """What raises exposure asks; a no is an answer of its own, not an interruption."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"ROLLOUT_HOME": str(bot.home), "ROLLOUT_DSN": str(bot.dsn)}
    command = [sys.executable, "-m", "cli.main", "switch", "bot", "--to", "real", "--reason", "go"]
    with subprocess.Popen(
        command, env=environment, stdin=theirs, stderr=subprocess.PIPE, text=True
    ) as process:
        os.write(ours, b"n\n")
        _, told = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 3
    assert "bot goes from mock to real. Go ahead? [y/N]:" in told
    assert "You said no: nothing was done." in told
    assert bot("status", "bot", "-o", "json").json["mode"] == "mock"


def test_a_pause_that_reaches_nobody_says_so(rollout: Rollout, tmp_path: Path) -> None:
    """A system without a way to it is not told to be paused, and the person has to know that."""
    (tmp_path / "file").touch()
    rollout("system", "add", "barred", "--control-file", tmp_path / "file" / "mode.json")
    assert "no control file" not in rollout("pause", "barred", exits=None).err
    rollout("system", "add", "mute")
    told = rollout("pause", "mute", exits=6)
    assert "✔" not in told.out
    assert "mute was told nothing" in told.err
    assert "--control-file PATH" in told.err
    assert "in the ledger only" in rollout("log", "mute").out
    again = rollout("pause", "mute", exits=6)
    assert again.out.startswith("skipped (")
    assert "mute was told nothing" in again.err
    rollout("switch", "mute", "--to", "mock", "--reason", "r", "--yes", exits=6)
    assert [row["type"] for row in rollout.log("mute", "ModeSwitched")] == ["ModeSwitched"] * 2
    cut_off = Rollout(rollout.home, "host=127.0.0.1 port=1 dbname=none user=none")
    assert "mute was told nothing" in cut_off("pause", "mute", exits=6).err
    rollout("system", "add", "mute", "--control-file", tmp_path / "mute.json")
    rollout("pause", "mute")
    assert '"paused"' in (tmp_path / "mute.json").read_text()


def test_a_log_has_no_column_that_tells_nothing(bot: Rollout) -> None:
    """The system that was asked for, and a second clock that says the same, take no room."""
    assert bot("log", "bot").out.split("\n")[0].split() == [
        "position", "occurred", "actor", "what", "reason",
    ]  # fmt: skip
    assert "system" in bot("log").out.split("\n")[0]
    assert all(line == line.rstrip() for line in bot("log").out.splitlines())


def test_a_first_configuration_has_its_keys_and_no_other(bot: Rollout) -> None:
    """Where nothing was in force before, the change log names the keys, not the empty whole."""
    rows = bot("sql", "SELECT key, old FROM config_changes ORDER BY key", "-o", "json").json
    assert rows == [{"key": "grid.levels", "old": None}, {"key": "size", "old": None}]
    assert "the first: 2 keys" in bot("log", "bot").out
