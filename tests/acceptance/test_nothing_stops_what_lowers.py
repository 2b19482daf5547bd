"""What lowers, in every broken world: a pause is in the control file, a rollback in its files (I33)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from tests.acceptance.conftest import GOOD
from tests.support.commands import Rollout
from tests.support.outages import NOWHERE

SEARCHED = "somebody has posted password=hunter2hunter2 in the channel"


def _nothing(_bot: Rollout, _tmp_path: Path) -> None: ...


def appended(
    statement: LiteralString, stream: str = "system:bot"
) -> Callable[[Rollout, Path], None]:
    """Return the world in which a writer has appended an event that the program can't read."""

    def broken(bot: Rollout, _tmp_path: Path) -> None:
        # A ledger that refuses it is as good.
        with (
            psycopg.connect(str(bot.dsn), autocommit=True) as writer,
            suppress(psycopg.errors.RaiseException, psycopg.IntegrityError, psycopg.DataError),
        ):
            writer.execute(statement, {"stream": stream})

    return broken


def at(moment: LiteralString, stream: str = "system:bot") -> Callable[[Rollout, Path], None]:
    """Return the world in which an event of that time is in the log."""
    return appended(
        "SELECT ledger.append(gen_random_uuid(), %(stream)s, null, 'NoteAdded', 1,"
        f" timestamptz '{moment}', '{{}}')",
        stream,
    )


def clock_says(content: bytes) -> Callable[[Rollout, Path], None]:
    """Return the world whose clock file holds that."""

    def broken(_bot: Rollout, tmp_path: Path) -> None:
        (tmp_path / "clock").write_bytes(content)

    return broken


def pipe_as_clock(_bot: Rollout, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "clock")


def key_is_a_folder(bot: Rollout, _tmp_path: Path) -> None:
    key = bot.home / "secret.key"
    key.unlink(missing_ok=True)
    key.mkdir()


@dataclass(frozen=True)
class World:
    """Something is broken, and a pause is wanted."""

    given: Callable[[Rollout, Path], None] = _nothing
    env: dict[str, str] = field(default_factory=dict)
    reason: str = "rejects"
    exits: int = 0
    says: str = ""


CLOCK = {"ROLLOUT_CLOCK": "clock"}
WORLDS = {
    "body is no JSON": World(
        appended(
            "SELECT ledger.append(gen_random_uuid(), %(stream)s, null, 'ModeSwitched', 1, now(), 'oops')"
        )
    ),
    "body without data": World(
        appended(
            "SELECT ledger.append(gen_random_uuid(), %(stream)s, null, 'ModeSwitched', 1, now(), '{}')"
        )
    ),
    "unknown schema version": World(
        appended(
            "SELECT ledger.append(gen_random_uuid(), %(stream)s, null, 'ModeSwitched', 99, now(),"
            " '{\"data\": {}}')"
        )
    ),
    "time of infinity": World(at("infinity")),
    "time before Christ": World(at("4000-01-01 BC")),
    "year 12000": World(at("12000-01-01")),
    "year 12000 elsewhere": World(at("12000-01-01", "system:other")),
    "no clock file": World(env=CLOCK, says="clock"),
    "clock file of nonsense": World(clock_says(b"soon"), CLOCK, says="no ISO 8601 time"),
    "clock file of bytes": World(clock_says(b"\xff\xfe"), CLOCK, says="no ISO 8601 time"),
    "clock file of year 1": World(clock_says(b"0001-01-01T00:00:00+14:00"), CLOCK),
    "pipe as clock file": World(pipe_as_clock, CLOCK, says="no regular file"),
    "output in a form unknown": World(env={"ROLLOUT_OUTPUT": "xml"}, says="ROLLOUT_OUTPUT=xml"),
    "actor who is nobody": World(env={"ROLLOUT_ACTOR": "cat:tom"}, says="your login"),
    "key is a folder": World(key_is_a_folder, reason=SEARCHED),
}


@pytest.mark.parametrize("by_hand", [False, True], ids=["remembered", "by hand"])
@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_a_pause_in_a_broken_world(
    bot: Rollout, tmp_path: Path, world: World, by_hand: bool
) -> None:
    """I33, I5: whatever is in the log, the environment or the home, it is tried by every way there is."""
    world.given(bot, tmp_path)
    file = tmp_path / ("other.json" if by_hand else "mode.json")
    env = {
        name: str(tmp_path / text) if name in CLOCK else text for name, text in world.env.items()
    }
    words = ["--control-file", file] if by_hand else []
    told = bot("pause", "bot", "--reason", world.reason, *words, exits=world.exits, **env)
    assert json.loads(file.read_text())["mode"] == "paused"
    assert world.says in told.err
    assert len([line for line in told.err.splitlines() if "without the ledger" in line]) <= 1


@pytest.mark.parametrize("closed", ["", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_pause_with_closed_streams(bot: Rollout, tmp_path: Path, closed: str) -> None:
    """I33: nobody listens; it pauses, and ends in no traceback."""
    env = os.environ | {"ROLLOUT_HOME": str(bot.home), "ROLLOUT_DSN": str(bot.dsn)}
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "cli.main", "pause", "bot"],
        env=env, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "mode.json").read_text())["mode"] == "paused"


@pytest.mark.parametrize(
    ("env", "exits"),
    [
        ({"ROLLOUT_OUTPUT": "xml"}, 0),
        ({"ROLLOUT_CLOCK": "nowhere"}, 0),
        ({"ROLLOUT_DSN": NOWHERE}, 1),
    ],
    ids=["output", "clock", "ledger away"],
)
def test_a_pause_of_whose_talk_there_is_no_room(
    bot: Rollout, tmp_path: Path, env: dict[str, str], exits: int
) -> None:
    """I33: stderr goes to a full disk: the talk is lost, which 1 says of a record's place, not the pause."""
    env = os.environ | {"ROLLOUT_HOME": str(bot.home), "ROLLOUT_DSN": str(bot.dsn)} | env
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>/dev/full', "sh", sys.executable, "-m", "cli.main", "pause", "bot"],
        env=env, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert json.loads((tmp_path / "mode.json").read_text())["mode"] == "paused"
    assert done.returncode == exits


@pytest.mark.parametrize("home", ["a file", "below a file"])
def test_a_pause_with_a_home_that_is_none(bot: Rollout, tmp_path: Path, home: str) -> None:
    """I33: without locks, memory and spool it acts by --control-file; other commands say what is wrong."""
    (tmp_path / "file").write_text("")
    no_home = str(tmp_path / "file" if home == "a file" else tmp_path / "file" / "home")
    words = ["bot", "--control-file", tmp_path / "other.json"]
    told = bot("pause", *words, ROLLOUT_HOME=no_home, ROLLOUT_DSN=NOWHERE, exits=3)
    assert json.loads((tmp_path / "other.json").read_text())["mode"] == "paused"
    assert "NOTHING of this is recorded" in told.err
    if home == "a file":
        assert "is a file" in bot("status", "bot", ROLLOUT_HOME=no_home, exits=2).err


def test_a_pause_that_is_asked_for_in_an_unknown_form_is_asked_for_again(bot: Rollout) -> None:
    """What is wrong in the command's own words is told, as with every command."""
    bot("pause", "bot", "-o", "xml", exits=2)


UNREADABLE = [name for name in WORLDS if name.startswith(("body", "unknown", "time", "year"))]


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_rollback_to_the_last_stable_configuration(
    bot: Rollout, tmp_path: Path, name: str
) -> None:
    """I33, I8: an event that can't be read keeps nobody from going back, byte for byte."""
    config = tmp_path / "config.yaml"
    config.write_text("grid:\n  levels: 50\nsize: 100\n")
    bot("config", "put", "bot", config, "--in-force")
    WORLDS[name].given(bot, tmp_path)
    bot("rollback", "bot", "--last-stable", "--reason", "rejects")
    assert config.read_text() == GOOD
