"""The embedded ledger begins where somebody begins one, and nowhere else; and it can be stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.store.embedded import EmbeddedPostgres
from tests.support.commands import Rollout


@pytest.fixture
def alone(home: Path) -> Iterator[Rollout]:
    """A home without a ledger."""
    yield Rollout(home, None)
    EmbeddedPostgres(home).stop()


@pytest.mark.parametrize(
    "words",
    [("status",), ("log",), ("status", "bot"), ("verify",), ("system", "list"), ("doctor",),
     ("incident", "list"), ("pause", "bot", "--reason", "r"), ("switch", "bot", "--to", "mock")],
    ids=" ".join,
)  # fmt: skip
def test_no_command_makes_an_empty_ledger_in_passing(
    alone: Rollout, words: tuple[str, ...]
) -> None:
    """I31: an empty ledger says that nothing ever happened; cron has another environment."""
    told = alone(*words, exits=9)
    assert f"There is no ledger in {alone.home}" in told.err + told.out
    assert EmbeddedPostgres(alone.home).status().state == "absent"


def test_a_relative_home_is_the_folder_s_of_whoever_calls(alone: Rollout, tmp_path: Path) -> None:
    """I31: from another folder it is another place, and that is said with the whole path."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    told = subprocess.run(
        [sys.executable, "-m", "cli.main", "status"],
        cwd=elsewhere,
        env={name: value for name, value in os.environ.items() if not name.startswith("ROLLOUT_")}
        | {"ROLLOUT_HOME": "home", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 9
    assert f"There is no ledger in {elsewhere / 'home'}" in told.stderr


def test_a_ledger_begins_out_loud_and_its_server_can_be_stopped(
    alone: Rollout, tmp_path: Path
) -> None:
    """I16: stopped once; and the next command starts it again, with all that was recorded."""
    begun = alone("system", "add", "bot", "--control-file", tmp_path / "mode.json")
    assert f"a new ledger is made in {alone.home}" in begun.err
    assert "new ledger" not in alone("status").err
    assert alone("server", "status", "-o", "json").json["state"] == "running"
    assert json.loads(alone("server", "stop", "-o", "json").out)["outcome"] == "stopped"
    assert alone("server", "status", "-o", "json").json["state"] == "stopped"
    assert alone("server", "stop").out.startswith("skipped (no PostgreSQL is up")
    assert alone("system", "list", "-o", "json").json[0]["system"] == "bot"
    given = Rollout(alone.home, "host=127.0.0.1 port=1")
    assert "is not this program's" in given("server", "stop", exits=3).err
