"""kill -9 between every two steps of a command; a fresh process finishes or gives up, exactly once (I12)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger.fail_points import NAMES
from tests.support.commands import Rollout

GOOD = "grid:\n  levels: 5   # what has run well\nsize: 10\n"
BAD = "grid:\n  levels: 50\nsize: 100\n"


@pytest.fixture
def bot(tmp_path: Path, embedded_dsn: str) -> Rollout:
    """A bot in mock, on its good configuration, marked stable."""
    rollout = Rollout(tmp_path / "home", embedded_dsn)
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


def world(tmp_path: Path) -> tuple[str, str]:
    mode = json.loads((tmp_path / "mode.json").read_text())["mode"]
    return mode, (tmp_path / "config.yaml").read_text()


def points(kind: str) -> list[str]:
    return sorted(name for name in NAMES if name.startswith(kind + "."))


@pytest.mark.parametrize("point", points("switch"))
def test_a_switch_to_real_killed_anywhere(point: str, bot: Rollout, tmp_path: Path) -> None:
    """I12, I9: what had reached the world is recorded; what had not is given up, never raised again."""
    bot("switch", "bot", "--to", "real", "--reason", "go", "--yes", fail_at=point)
    reached = world(tmp_path)[0] == "real"
    assert reached == (point != "switch.after_intent")
    told = bot("recover", "bot", "-o", "json").json[0]
    assert told["resume_mode"] == ("real" if reached else "mock")
    assert world(tmp_path)[0] == told["resume_mode"]
    outcomes = bot.log("bot", "ModeSwitched", "ModeSwitchAbandoned")
    assert [row["type"] for row in outcomes][1:] == [
        "ModeSwitched" if reached else "ModeSwitchAbandoned"
    ]
    assert bot("recover", "bot", "-o", "json").json[0]["completed"] == []


@pytest.mark.parametrize("point", points("switch"))
def test_a_pause_killed_anywhere_is_finished(point: str, bot: Rollout, tmp_path: Path) -> None:
    """I12: reducing exposure is always completed, by recover or by the very same command again."""
    bot("pause", "bot", "--reason", "odd fills", fail_at=point)
    bot("recover", "bot")
    assert world(tmp_path)[0] == "paused"
    assert [row["type"] for row in bot.log("bot", "ModeSwitched")] == ["ModeSwitched"] * 2
    assert "already" in bot("pause", "bot").out


@pytest.mark.parametrize("point", points("switch"))
def test_the_next_command_finishes_what_was_begun(point: str, bot: Rollout, tmp_path: Path) -> None:
    """I12: nobody has to know of recover; the next switch looks first."""
    bot("pause", "bot", fail_at=point)
    bot("switch", "bot", "--to", "mock", "--reason", "calm again", "--yes")
    assert world(tmp_path)[0] == "mock"
    assert bot("recover", "bot", "-o", "json").json[0]["completed"] == []


@pytest.mark.parametrize("point", points("apply"))
def test_an_apply_killed_anywhere(point: str, bot: Rollout, tmp_path: Path) -> None:
    """I12: nothing written: given up; written: recorded. The world and the ledger agree after it."""
    (tmp_path / "next.yaml").write_text(BAD)
    bot("config", "put", "bot", tmp_path / "next.yaml", "--as", "config.yaml", "--tag", "next")
    bot("config", "apply", "bot", "next", "--reason", "scale", "--yes", fail_at=point)
    bot("recover", "bot")
    done = point != "apply.after_intent"
    assert world(tmp_path)[1] == (BAD if done else GOOD)
    causes = [row["type"] for row in bot.log("bot", "ConfigApplied", "ConfigApplyFailed")]
    assert causes == ["ConfigApplied", "ConfigApplied" if done else "ConfigApplyFailed"]
    bot("drift", "bot")


@pytest.mark.parametrize("point", points("rollback"))
def test_a_rollback_killed_anywhere_is_finished_once(
    point: str, bot: Rollout, tmp_path: Path
) -> None:
    """I2 of the three jobs, and I12: byte for byte, finished after a crash, recorded exactly once."""
    (tmp_path / "next.yaml").write_text(BAD)
    bot("config", "put", "bot", tmp_path / "next.yaml", "--as", "config.yaml", "--tag", "next")
    bot("config", "apply", "bot", "next", "--reason", "scale", "--yes")
    bot("rollback", "bot", "--last-stable", "--reason", "rejects", fail_at=point)
    bot("recover", "bot")
    assert world(tmp_path)[1] == GOOD
    outcomes = bot.log("bot", "RollbackCompleted", "RollbackAbandoned", "RollbackStepCompleted")
    assert sorted(row["type"] for row in outcomes) == ["RollbackCompleted", "RollbackStepCompleted"]
    assert "already" in bot("rollback", "bot", "--last-stable", "--reason", "again").out
    bot("drift", "bot")
    bot("verify")


@pytest.mark.parametrize("point", points("pause"))
def test_a_pause_without_the_ledger_killed_anywhere(
    point: str, bot: Rollout, tmp_path: Path, embedded_dsn: str
) -> None:
    """I5, I12: what was journalled before the crash is appended after it, once; nothing else is claimed."""
    cut_off = Rollout(bot.home, "host=127.0.0.1 port=1 dbname=none user=none")
    cut_off("pause", "bot", "--reason", "no ledger", fail_at=point)
    bot("recover", "bot", exits=None)
    bot("recover", "bot")
    assert world(tmp_path)[0] == "paused"
    switched = bot.log("bot", "ModeSwitched")
    assert len(switched) == 2
    assert bot("status", "bot", "-o", "json", exits=None).json["mode"] == "paused"


def test_the_spool_is_appended_once_whatever_happens(bot: Rollout, tmp_path: Path) -> None:
    """I4, I5: killed between the append and the settling, the same events are sent again, and known."""
    cut_off = Rollout(bot.home, "host=127.0.0.1 port=1 dbname=none user=none")
    told = cut_off("pause", "bot", "--reason", "no ledger")
    assert "not yet in the ledger" in told.err
    assert world(tmp_path)[0] == "paused"
    bot("recover", "bot", fail_at="spool.after_append")
    bot("recover", "bot")
    requested = bot.log("bot", "ModeSwitchRequested")
    assert [row["reason"] for row in requested] == ["rehearsal", "no ledger"]
    assert bot("recover", "bot", "-o", "json").json[0]["spooled"] == 0


def test_what_raises_exposure_refuses_without_the_ledger(bot: Rollout, tmp_path: Path) -> None:
    """I5: no ledger, no risk."""
    cut_off = Rollout(bot.home, "host=127.0.0.1 port=1 dbname=none user=none")
    before = world(tmp_path)
    cut_off("switch", "bot", "--to", "real", "--reason", "go", "--yes", exits=9)
    cut_off("config", "apply", "bot", "good", "--reason", "go", "--yes", exits=9)
    assert world(tmp_path) == before


def test_a_rollback_without_the_ledger(bot: Rollout, tmp_path: Path) -> None:
    """I5: a fingerprint that this machine remembers can be put back while Postgres is away."""
    (tmp_path / "next.yaml").write_text(BAD)
    bot("config", "put", "bot", tmp_path / "next.yaml", "--as", "config.yaml", "--tag", "next")
    bot("config", "apply", "bot", "next", "--reason", "scale", "--yes")
    cut_off = Rollout(bot.home, "host=127.0.0.1 port=1 dbname=none user=none")
    told = cut_off("rollback", "bot", "--last-stable", "--reason", "rejects")
    assert "the ledger is away" in told.err
    assert world(tmp_path)[1] == GOOD
    bot("recover", "bot")
    assert [row["type"] for row in bot.log("bot", "RollbackCompleted")] == ["RollbackCompleted"]
    bot("drift", "bot")
