"""kill -9 between every two steps of a rollback that takes the code with it (I12)."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.fail_points import NAMES
from tests.support.checkouts import git, two_releases
from tests.support.commands import Rollout

POINTS = sorted(name for name in NAMES if name.startswith(("code.", "rollback.")))


@pytest.fixture
def bot(tmp_path: Path, embedded_dsn: str) -> Rollout:
    """A bot that runs from a checkout at v3.0.0, on a configuration that lies in it."""
    rollout = Rollout(tmp_path / "home", embedded_dsn)
    tree = tmp_path / "tree"
    two_releases(tree)
    config = tree / "config.yaml"
    rollout(
        "system", "add", "bot", "--config-file", config, "--code", tree,
        "--restart", f"sh -c 'echo started >> {tmp_path}/restarts'",
    )  # fmt: skip
    config.write_text("levels: 2 # good\n")
    rollout("config", "put", "bot", config, "--tag", "good", "--stable", "--in-force")
    config.write_text("levels: 30 # bad\n")
    rollout("config", "put", "bot", config, "--tag", "bad", "--in-force")
    return rollout


@pytest.mark.parametrize("point", POINTS)
def test_a_rollback_with_code_killed_anywhere_is_finished_once(
    point: str, bot: Rollout, tmp_path: Path
) -> None:
    """I12: the code, the files, the restart: finished by a fresh process, recorded exactly once."""
    tree = tmp_path / "tree"
    words = ("rollback", "bot", "--last-stable", "--code", "v2.0.0", "--reason", "rejects")
    bot(*words, fail_at=point)
    bot("recover", "bot")
    assert git(tree, "rev-parse", "HEAD") == git(tree, "rev-parse", "v2.0.0")
    assert (tree / "config.yaml").read_text() == "levels: 2 # good\n"
    assert git(tree, "status", "--porcelain") == " M config.yaml".strip()
    # Killed after the restart and before its record, it is done again: better twice than never.
    restarts = (tmp_path / "restarts").read_text().splitlines()
    assert len(restarts) == (2 if point == "code.after_restart" else 1)
    steps = bot.log("bot", "RollbackStepCompleted", "RollbackCompleted", "RollbackAbandoned")
    assert [row["type"] for row in steps] == [*["RollbackStepCompleted"] * 3, "RollbackCompleted"]
    assert "already" in bot(*words).out
    bot("drift", "bot")
    bot("verify")


def test_a_checkout_cut_off_in_the_middle_is_completed(bot: Rollout, tmp_path: Path) -> None:
    """I12: the power went while git was writing: some files are the old version's, and HEAD is not."""
    tree = tmp_path / "tree"
    words = ("rollback", "bot", "--last-stable", "--code", "v2.0.0", "--reason", "rejects")
    bot(*words, fail_at="rollback.after_intent")
    (tree / "bot.py").write_text(git(tree, "show", "v2.0.0:bot.py") + "\n")
    (tree / "config.yaml").unlink()
    bot("recover", "bot")
    assert git(tree, "rev-parse", "HEAD") == git(tree, "rev-parse", "v2.0.0")
    assert (tree / "config.yaml").read_text() == "levels: 2 # good\n"


def test_somebody_writes_into_the_tree_before_it_is_recovered(bot: Rollout, tmp_path: Path) -> None:
    """What somebody wrote is not lost; the rollback stays open and says why."""
    tree = tmp_path / "tree"
    words = ("rollback", "bot", "--last-stable", "--code", "v2.0.0", "--reason", "rejects")
    bot(*words, fail_at="rollback.after_intent")
    (tree / "bot.py").write_text("print('fixed at night')\n")
    told = bot("recover", "bot", exits=3)
    assert "bot.py" in told.out
    assert (tree / "bot.py").read_text() == "print('fixed at night')\n"
    git(tree, "checkout", "bot.py")
    bot("rollback", "resume", "bot")
    assert git(tree, "rev-parse", "HEAD") == git(tree, "rev-parse", "v2.0.0")
