"""An event that can't be read: shown, answered by a person, and never in the way of what lowers (I33)."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from tests.support.commands import Rollout

BODY = '{"actor":{"id":"x","kind":"service","name":"x"},"channel":"cli","data":%s,"system":"bot"}'
SOUND = ("ModeSwitched", 1, BODY % '{"to_mode":"real","carried_by":"nothing"}')
POISON = {
    "no JSON": ("ModeSwitched", 1, "oops \x1b[31m"),
    "no data": ("ModeSwitched", 1, "{}"),
    "a list": ("ModeSwitched", 1, "[]"),
    "no fields": ("ModeSwitched", 1, BODY % "{}"),
    "another type of value": ("ModeSwitched", 1, BODY % '{"to_mode":7,"carried_by":"nothing"}'),
    "a mode that is none": ("ModeSwitched", 1, BODY % '{"to_mode":"wild","carried_by":"nothing"}'),
    "a newer version": ("ModeSwitched", 99, BODY % '{"to_mode":"real","carried_by":"nothing"}'),
    "a registration of nothing": ("SystemChanged", 1, BODY % '{"actuators":[]}'),
}


TIMES = ["infinity", "-infinity", "0044-03-15 12:00 BC", "12000-01-01", "0001-01-01", "9999-12-31"]


def append(bot: Rollout, type_: str, version: int, body: str, at: str = "now") -> int:
    """Append as a writer may, past the program; return the position."""
    with psycopg.connect(str(bot.dsn), autocommit=True) as writer:
        row = writer.execute(
            'SELECT "position" FROM ledger.append(gen_random_uuid(), %s, null, %s, %s, %s, %s)',
            ("system:bot", type_, version, at, body.encode()),
        ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize(
    "event",
    [*POISON.values(), *((*SOUND, time) for time in TIMES)],
    ids=[*POISON, *TIMES],
)
def test_what_can_t_be_read_blocks_what_raises_until_a_person_has_answered(
    bot: Rollout, tmp_path: Path, event: tuple[str, int, str]
) -> None:
    """I33, I31: lowering goes on; raising waits for somebody who knows what it was."""
    position = append(bot, *event)
    seen = bot("status", "bot", "-o", "json", exits=3).json
    assert f"position {position} ({event[0]}) can't be read" in json.dumps(seen)
    assert "\x1b" not in bot("show", str(position)).out
    assert any(row["position"] == position for row in bot("log", "bot", "-o", "json").json)
    refused = bot("switch", "bot", "--to", "real", "--reason", "go", "--yes", exits=7)
    assert f"rollout correct bot {position}" in refused.err
    # A dry run promises nothing that is then refused.
    bot("switch", "bot", "--to", "real", "--reason", "go", "--dry-run", exits=7)
    bot("pause", "bot", "--reason", "look")
    assert json.loads((tmp_path / "mode.json").read_text())["mode"] == "paused"
    (tmp_path / "config.yaml").write_text("size: 99\n")
    bot("rollback", "bot", "--to", "good", "--reason", "back")
    assert "levels: 5" in (tmp_path / "config.yaml").read_text()
    bot("recover", "bot")
    bot("verify")
    bot("sql", "SELECT count(*) FROM events")
    bot("correct", "bot", str(position), "It was a test.", ROLLOUT_ACTOR="rule:x", exits=3)
    bot("correct", "bot", str(position), "It was a test.")
    bot("resume", "bot", "--reason", "answered", "--yes")
    assert bot("status", "bot", "-o", "json").json["problems"] == []
    assert bot("correct", "bot", str(position), "again", exits=2).err.count("no unread event") == 1
