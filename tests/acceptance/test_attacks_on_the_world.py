"""Admin interfaces, files and folders that hang, refuse or vanish, and a ledger that goes away between."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from tests.acceptance.conftest import GOOD
from tests.support.admin_server import Handler, hang, obey, running_system, says
from tests.support.commands import Rollout
from tests.support.outages import end_sessions, give_back, take_away

BAD = "grid:\n  levels: 50\nsize: 100\n"


def outcomes(rollout: Rollout) -> list[str]:
    rows = rollout.log("bot", "ModeSwitched", "ModeSwitchUnconfirmed", "ModeSwitchAbandoned")
    return [row["type"] for row in rows]


def apply_bad(bot: Rollout, tmp_path: Path) -> None:
    (tmp_path / "next.yaml").write_text(BAD)
    bot("config", "put", "bot", tmp_path / "next.yaml", "--as", "config.yaml", "--tag", "bad")
    bot("config", "apply", "bot", "bad", "--reason", "scale", "--yes")


def test_a_server_that_restarts_while_a_switch_is_carried_out(rollout: Rollout) -> None:
    """I12: the connection and its lock are lost in the middle; the outcome is recorded all the same, once."""

    def restarting(handler: Handler) -> None:
        end_sessions(str(rollout.dsn))
        obey(handler)

    with running_system() as system:
        rollout("system", "add", "bot", "--http-admin", system.url)
        system.on_post = restarting
        rollout("switch", "bot", "--to", "mock", "--reason", "r", "--yes")
    assert outcomes(rollout) == ["ModeSwitched"]


def test_a_ledger_that_goes_away_while_a_raise_is_carried_out(rollout: Rollout) -> None:
    """I5, I12: the world is in real by then; that is said, and recovery records it without doing it again."""

    def losing(handler: Handler) -> None:
        take_away(str(rollout.dsn))
        obey(handler)

    with running_system() as system:
        rollout("system", "add", "bot", "--http-admin", system.url)
        rollout("switch", "bot", "--to", "mock", "--reason", "r", "--yes")
        system.on_post = losing
        told = rollout("switch", "bot", "--to", "real", "--reason", "r", "--yes", exits=9)
        assert "real was carried out" in told.err
        assert "rollout recover bot" in told.err
        give_back(str(rollout.dsn))
        system.on_post = obey
        rollout("recover", "bot")
        assert [post["mode"] for post in system.posts] == ["mock", "real"]
        assert rollout("status", "bot", "-o", "json").json["mode"] == "real"
    assert outcomes(rollout) == ["ModeSwitched", "ModeSwitched"]


def test_a_ledger_that_goes_away_while_a_pause_is_carried_out(rollout: Rollout) -> None:
    """I5: it is carried out and journalled; each operation ends once."""

    def losing(handler: Handler) -> None:
        if len(system.posts) == 1:
            take_away(str(rollout.dsn))
        obey(handler)

    with running_system() as system:
        rollout("system", "add", "bot", "--http-admin", system.url)
        system.on_post = losing
        rollout("pause", "bot", "--reason", "r")
        assert system.status["mode"] == "paused"
        give_back(str(rollout.dsn))
        rollout("recover", "bot")
        assert rollout("recover", "bot", "-o", "json").json[0]["completed"] == []
    intents = rollout.log("bot", "ModeSwitchRequested")
    assert len(outcomes(rollout)) == len(intents) == 2
    assert rollout("status", "bot", "-o", "json", exits=None).json["mode"] == "paused"


@pytest.mark.parametrize("manner", [hang, says(500, b"no"), says(403, b"no")])
def test_a_pause_does_not_wait_for_an_interface_that_hangs_or_refuses(
    manner: object, rollout: Rollout, tmp_path: Path
) -> None:
    """Seed 001: the file is written first, the attempts are in the log, the exit code is honest."""
    with running_system() as system:
        rollout(
            "system", "add", "bot", "--http-admin", system.url,
            "--control-file", tmp_path / "mode.json", "--confirm-timeout", "0.5",
        )  # fmt: skip
        system.on_post = manner  # type: ignore[assignment] -- a manner
        done = threading.Event()
        seen: list[float] = []
        started = time.monotonic()

        def watch() -> None:
            while not done.wait(0.02):
                if (tmp_path / "mode.json").exists():
                    seen.append(time.monotonic() - started)
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        told = rollout("pause", "bot", "-o", "json", exits=None)
        done.set()
        watcher.join()
        assert told.json["carried_by"] == "control_file"
        assert seen
        assert seen[0] < 3
        assert json.loads((tmp_path / "mode.json").read_text())["mode"] == "paused"


def test_a_control_file_in_a_folder_that_can_not_be_written(bot: Rollout, tmp_path: Path) -> None:
    """Exit code 9, one sentence with the path, and the log says that it was not confirmed."""
    (tmp_path / "mode.json").unlink()
    (tmp_path / "mode.json").mkdir()
    told = bot("pause", "bot", exits=9)
    assert str(tmp_path / "mode.json") in told.err
    assert bot.log("bot", "ModeSwitchUnconfirmed")
    (tmp_path / "mode.json").rmdir()
    bot("pause", "bot")


def test_symbolic_links_stay(bot: Rollout, tmp_path: Path) -> None:
    """Files in place: what a link points to is replaced, not the link."""
    store = tmp_path / "store"
    store.mkdir()
    for name in ("config.yaml", "mode.json"):
        (tmp_path / name).rename(store / name)
        (tmp_path / name).symlink_to(store / name)
    apply_bad(bot, tmp_path)
    assert (store / "config.yaml").read_text() == BAD
    bot("rollback", "bot", "--last-stable", "--reason", "r")
    bot("pause", "bot")
    assert (store / "config.yaml").read_text() == GOOD
    assert json.loads((store / "mode.json").read_text())["mode"] == "paused"
    assert all((tmp_path / name).is_symlink() for name in ("config.yaml", "mode.json"))


def test_several_operations_left_by_crashes(bot: Rollout, tmp_path: Path) -> None:
    """I12: an apply, a pause and another pause, all dead; one recovery ends each of them once."""
    apply_bad(bot, tmp_path)
    (tmp_path / "third.yaml").write_text("size: 3\n")
    bot("config", "put", "bot", tmp_path / "third.yaml", "--as", "config.yaml", "--tag", "third")
    bot("config", "apply", "bot", "third", "--reason", "r", "--yes", fail_at="apply.after_file")
    bot("pause", "bot", "--kind", "reduce-only", fail_at="switch.after_intent")
    bot("pause", "bot", "--kind", "drain", fail_at="switch.after_act")
    told = bot("recover", "bot", "-o", "json").json[0]
    assert len(told["completed"]) + len(told["abandoned"]) == 3
    assert told["resume_mode"] == "paused/drain"
    assert (tmp_path / "config.yaml").read_text() == "size: 3\n"
    again = bot("recover", "bot", "-o", "json").json[0]
    assert (again["completed"], again["abandoned"], again["drift"]) == ([], [], {})
    shown = json.loads((tmp_path / "mode.json").read_text())
    assert (shown["mode"], shown["pause_kind"]) == ("paused", "drain")


def test_a_system_that_nothing_carries(rollout: Rollout) -> None:
    """I12: decisions are recorded only, and a crash between intent and outcome is ended all the same."""
    rollout("system", "add", "bot")
    rollout("switch", "bot", "--to", "mock", "--reason", "r", "--yes", exits=6)
    rollout(
        "switch", "bot", "--to", "real", "--reason", "r", "--yes", fail_at="switch.after_intent"
    )
    told = rollout("recover", "bot", "-o", "json").json[0]
    assert (told["resume_mode"], len(told["abandoned"])) == ("mock", 1)
    rollout("rollback", "bot", "--last-stable", "--reason", "r", exits=3)
    rollout("drift", "bot")


def test_two_machines_roll_back_at_once(bot: Rollout, tmp_path: Path) -> None:
    """I10, I12: one does it, the other finds it done or is told who is at it; nobody falls further."""
    (tmp_path / "older.yaml").write_text("size: 3\n")
    bot(
        "config", "put", "bot", tmp_path / "older.yaml", "--as", "config.yaml", "--tag", "older",
        "--stable",
    )  # fmt: skip
    bot("config", "quarantine", "bot", "good")
    bot("config", "stable", "bot", "good")
    apply_bad(bot, tmp_path)
    elsewhere = Rollout(tmp_path / "elsewhere", bot.dsn, actor="human:bob")
    codes: list[int] = []
    threads = [
        threading.Thread(
            target=lambda who=who: codes.append(
                who("rollback", "bot", "--last-stable", "--reason", "r", exits=None).code
            )
        )
        for who in (bot, elsewhere, bot, elsewhere)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) <= {0, 5}
    assert codes.count(0) >= 1
    assert (tmp_path / "config.yaml").read_text() == GOOD
    assert len(bot.log("bot", "RollbackCompleted")) == 1


def test_sixteen_pauses_at_once(bot: Rollout, tmp_path: Path) -> None:
    """I5, I12: whoever is first, it is paused, each says so, and nothing stays open."""
    told: list[int] = []
    threads = [
        threading.Thread(target=lambda: told.append(bot("pause", "bot", exits=None).code))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [0] * 16
    assert json.loads((tmp_path / "mode.json").read_text())["mode"] == "paused"
    after = bot("recover", "bot", "-o", "json").json[0]
    assert (after["completed"], after["abandoned"], after["problems"]) == ([], [], [])
