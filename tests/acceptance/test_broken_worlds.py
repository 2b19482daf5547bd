"""A pause and a rollback in each of many broken worlds: done, or said what to do by hand (I33)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString

import pytest

from tests.acceptance import test_nothing_stops_what_lowers
from tests.acceptance.conftest import GOOD
from tests.support.commands import Rollout
from tests.support.tampering import tamper

Given = Callable[[Rollout, Path], None]


@dataclass(frozen=True)
class World:
    """What is broken before somebody pauses and rolls back, and which of the two then can't be done."""

    given: Given = lambda _bot, _here: None
    env: dict[str, str] = field(default_factory=dict)
    pauses: bool = True
    rolls_back: bool = True
    says: str = ""
    """Stands in what is told of the other."""


def put(place: str, content: bytes = b"") -> Given:
    """A file lies at ``place`` (below {home} or {here})."""

    def given(bot: Rollout, here: Path) -> None:
        path = at(place, bot, here)
        clear(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return given


def folder(place: str) -> Given:
    """A folder lies there, with something in it."""

    def given(bot: Rollout, here: Path) -> None:
        path = at(place, bot, here)
        clear(path)
        path.mkdir(parents=True)
        (path / "something").write_text("")

    return given


def fifo(place: str) -> Given:
    """A pipe lies there, which nobody writes to."""

    def given(bot: Rollout, here: Path) -> None:
        path = at(place, bot, here)
        clear(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path)

    return given


def link(place: str, target: str) -> Given:
    """A link lies there, to what may not be."""

    def given(bot: Rollout, here: Path) -> None:
        path = at(place, bot, here)
        clear(path)
        path.symlink_to(at(target, bot, here))

    return given


def missing(place: str) -> Given:
    """Nothing lies there any more."""
    return lambda bot, here: clear(at(place, bot, here))


def mode(place: str, bits: int) -> Given:
    """It has these permissions."""
    return lambda bot, here: at(place, bot, here).chmod(bits)


def sql(*statements: LiteralString) -> Given:
    """Somebody who may do everything has done that to the database."""
    return lambda bot, _here: tamper(str(bot.dsn), *statements)


def at(place: str, bot: Rollout, here: Path) -> Path:
    (path,) = [Path(place.format(home=bot.home, here=here))]
    if "*" not in place:
        return path
    return next(iter(bot.home.glob(path.relative_to(bot.home).as_posix())))


def clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for inner in path.iterdir():
            clear(inner)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


CONFIG, CONTROL = "{here}/config.yaml", "{here}/mode.json"
STATE = "{home}/cache/*/systems/bot.json"
BIG = b"x: " + b"1" * (17 * 2**20)
WORLDS = {
    # The home
    "home for reading only": World(mode("{home}", 0o555)),
    "no cache": World(missing("{home}/cache")),
    "cache is a file": World(put("{home}/cache")),
    "memory of nonsense": World(put(STATE, b"\xff\xfe{")),
    "memory of another type": World(put(STATE, b'{"fold": "x", "chain": 7, "state": []}')),
    "memory is a folder": World(folder(STATE)),
    "memory is a pipe": World(fifo(STATE)),
    "memory of another state": World(put(STATE, b'{"fold":1,"chain":"","state":{"system":"no"}}')),
    "locks are a file": World(put("{home}/locks")),
    "lock is a folder": World(folder("{home}/locks/bot.lock")),
    "lock of a dead process": World(put("{home}/locks/bot.lock", b'{"pid": 1, "what": "x"}')),
    "spool is a file": World(put("{home}/spool")),
    "spool of nonsense": World(put("{home}/spool/spool.jsonl", b'\xff\n{"a": 1}\n[]\n7\n{"half')),
    "spool's file is a folder": World(folder("{home}/spool/spool.jsonl")),
    "spool's lock is a folder": World(folder("{home}/spool/spool.lock")),
    "incidents.json is a folder": World(folder("{home}/incidents.json")),
    "key of nonsense": World(put("{home}/secret.key", b"\x00\xff")),
    # What carries the mode
    "control file is missing": World(missing(CONTROL)),
    "control file is empty": World(put(CONTROL)),
    "control file of nonsense": World(put(CONTROL, b"\xff{")),
    "control file is a list": World(put(CONTROL, b"[1]")),
    "control file with NaN": World(put(CONTROL, b'{"mode": "real", "size": NaN}')),
    "control file for reading only": World(mode(CONTROL, 0o444)),
    "control file is a dangling link": World(link(CONTROL, "{here}/nowhere/else.json")),
    "control file is a folder": World(folder(CONTROL), pauses=False, says="mode.json"),
    "control file is a pipe": World(fifo(CONTROL), pauses=False, says="mode.json"),
    "control file is huge": World(put(CONTROL, BIG)),
    # What holds the configuration
    "configuration is missing": World(missing(CONFIG)),
    "configuration is empty": World(put(CONFIG)),
    "configuration of bytes": World(put(CONFIG, bytes(range(256)))),
    "configuration is no YAML": World(put(CONFIG, b"a: [1\nb: }")),
    "configuration is huge": World(put(CONFIG, BIG), rolls_back=False, says="config.yaml"),
    "configuration for reading only": World(mode(CONFIG, 0o444)),
    "configuration is a pipe": World(fifo(CONFIG), rolls_back=False, says="config.yaml"),
    "configuration is a folder": World(folder(CONFIG), rolls_back=False, says="config.yaml"),
    "configuration is a dangling link": World(link(CONFIG, "{here}/elsewhere.yaml")),
    # The database
    "no read models": World(sql("DROP SCHEMA readmodel CASCADE")),
    "read models are views": World(
        sql(
            "ALTER TABLE readmodel.timeline RENAME TO kept",
            "CREATE VIEW readmodel.timeline AS SELECT * FROM readmodel.kept",
        )
    ),
    "read models of nonsense": World(sql("UPDATE readmodel.system_state SET state = '7'")),
    "no blobs": World(sql("TRUNCATE ledger.blob")),
    # The environment
    "zone of nonsense": World(env={"TZ": "Nowhere/Else"}),
    "locale of nonsense": World(env={"LC_ALL": "xx_YY.KOI8", "LANG": "xx"}),
    "C locale": World(env={"LC_ALL": "C", "PYTHONUTF8": "0"}),
    "no search path": World(env={"PATH": ""}),
    "no terminal": World(env={"TERM": "", "COLUMNS": "0", "LINES": "-1"}),
    "no temporary folder": World(env={"TMPDIR": "/nowhere/else"}),
    "no home of the user": World(env={"HOME": "/nowhere/else"}),
    "yes is maybe": World(env={"ROLLOUT_YES": "maybe"}),
    "debugging": World(env={"ROLLOUT_DEBUG": "1"}),
    "settings of psql": World(env={"PGOPTIONS": "-c default_transaction_read_only=on"}),
    "connect timeout of nonsense": World(env={"PGCONNECT_TIMEOUT": "soon"}),
}


def test_there_are_enough_of_them() -> None:
    """With those of `test_nothing_stops_what_lowers`: sixty."""
    assert len(WORLDS) + len(test_nothing_stops_what_lowers.WORLDS) >= 60


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_what_lowers_is_done_or_says_what_to_do_by_hand(
    bot: Rollout, tmp_path: Path, world: World
) -> None:
    """I33: a pause and a rollback, each tried in the broken world."""
    bot("status", "bot")
    (tmp_path / "config.yaml").write_text("grid:\n  levels: 50\nsize: 100\n")
    bot("config", "put", "bot", tmp_path / "config.yaml", "--in-force")
    world.given(bot, tmp_path)
    try:
        paused = bot("pause", "bot", "--reason", "rejects", exits=None, **world.env)
        rolled = bot(
            "rollback", "bot", "--last-stable", "--reason", "rejects", exits=None, **world.env
        )
    finally:
        bot.home.chmod(0o755)
    for told, can, done in (
        (paused, world.pauses, lambda: json.loads((tmp_path / "mode.json").read_text())["mode"] == "paused"),
        (rolled, world.rolls_back, lambda: (tmp_path / "config.yaml").read_text() == GOOD),
    ):  # fmt: skip
        assert "should not" not in told.err
        if can:
            assert done(), told
        else:
            assert told.code != 0
            assert world.says in told.err
            assert "next:" in told.err
