"""The full rollback of the first seed: back to v2.0.0, code and configuration, and started again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.checkouts import commit, git, two_releases
from tests.support.commands import Rollout, Told

PROFILE = """
profile: keylevelgrid
environment: production
actuators:
  code: {repository: REPOSITORY, fallback: v2.0.0, config: v2}
"""


class Grid:
    """A grid bot that runs from a checkout, at v3.0.0; its configuration lies in the tree."""

    def __init__(self, folder: Path, rollout: Rollout) -> None:
        self.tree = folder / "grid"
        self.old, self.new = two_releases(self.tree)
        self.rollout = rollout
        self.restart = folder / "restart.sh"
        self.restarts = folder / "restarts"
        self.set_restart(f"echo $(cat config.yaml) >> {self.restarts}")
        config = self.tree / "config.yaml"
        config.write_text("levels: 2   # what v2 ran with\n")
        self(
            "system", "add", "bot", "--control-file", folder / "mode.json", "--config-file", config,
            "--code", self.tree, "--restart", str(self.restart), "--restart-timeout", "5",
        )  # fmt: skip
        self("config", "put", "bot", config, "--tag", "v2", "--stable")
        config.write_text("levels: 30   # what v3 runs with\n")
        self("config", "put", "bot", config, "--tag", "v3", "--in-force")

    def __call__(self, *words: str | Path, exits: int | None = 0, **env: str) -> Told:
        given = {"ROLLOUT_REASON": "agreed", "ROLLOUT_YES": "1", **env}
        return self.rollout(*words, exits=exits, **given)

    def set_restart(self, script: str) -> None:
        self.restart.write_text(f"#!/bin/sh\n{script}\n")
        self.restart.chmod(0o755)

    @property
    def head(self) -> str:
        return git(self.tree, "rev-parse", "HEAD")

    @property
    def config(self) -> str:
        return (self.tree / "config.yaml").read_text()

    def told(self, type_: str) -> list[dict[str, Any]]:
        """Return what the events of a type say."""
        rows = self.rollout.log("bot", type_)
        return [self("show", str(row["position"]), "-o", "json").json["data"] for row in rows]

    def started_with(self) -> list[str]:
        return self.restarts.read_text().splitlines() if self.restarts.exists() else []


@pytest.fixture
def grid(tmp_path: Path, rollout: Rollout) -> Grid:
    return Grid(tmp_path, rollout)


def test_the_full_rollback_of_the_plan(grid: Grid, tmp_path: Path) -> None:
    """Seed 000: note the version, check v2.0.0 out, start it with its own configuration; all in one."""
    (tmp_path / "plan.yaml").write_text(PROFILE.replace("REPOSITORY", str(grid.tree)))
    grid("profile", "adopt", "bot", tmp_path / "plan.yaml")
    assert grid.told("ConfigApplied")[-1]["code"] == grid.new
    told = grid("rollback", "bot", "--full", "--dry-run")
    assert "check out v2.0.0" in told.err
    assert f"{grid.new[:12]} → {grid.old[:12]}" in told.err
    assert "run: " in told.err
    assert (grid.head, grid.started_with()) == (grid.new, [])
    told = grid("rollback", "bot", "--full")
    assert "was started again" in told.out
    assert grid.head == grid.old
    assert (grid.tree / "old.py").exists()
    assert not (grid.tree / "new/rebuild.py").exists()
    assert grid.config == "levels: 2   # what v2 ran with\n"
    assert grid.started_with() == ["levels: 2 # what v2 ran with"]
    steps = grid.told("RollbackStepCompleted")
    assert [(step["name"], step["outcome"]) for step in steps] == [
        ("code", "checked_out"), ("config.yaml", "written"), ("restart", "restarted"),
    ]  # fmt: skip
    intent = grid.told("RollbackRequested")[0]["code"]
    assert (intent["from_commit"], intent["to_commit"]) == (grid.new, grid.old)
    assert grid.told("ConfigApplied")[-1]["code"] == grid.old
    grid("drift", "bot")
    assert "already" in grid("rollback", "bot", "--full").out
    assert len(grid.started_with()) == 1
    grid("verify")


def test_code_alone_goes_back_and_forth(grid: Grid) -> None:
    """What was recorded to run once is a way back, in both directions; the configuration stays."""
    grid("rollback", "bot", "--code", "v2.0.0")
    assert (grid.head, grid.config) == (grid.old, "levels: 30   # what v3 runs with\n")
    grid("rollback", "bot", "--code", grid.new[:12])
    assert (grid.head, grid.config) == (grid.new, "levels: 30   # what v3 runs with\n")
    assert len(grid.started_with()) == 2


def test_the_last_stable_with_its_code_twice(grid: Grid) -> None:
    """I10: pressed twice it neither bounces back nor falls further; the code may still follow."""
    grid("rollback", "bot", "--last-stable")
    assert (grid.head, grid.config) == (grid.new, "levels: 2   # what v2 ran with\n")
    grid("rollback", "bot", "--last-stable", "--code", "v2.0.0")
    assert (grid.head, grid.config) == (grid.old, "levels: 2   # what v2 ran with\n")
    assert "already" in grid("rollback", "bot", "--last-stable", "--code", "v2.0.0").out


def test_a_commit_that_never_ran_is_no_way_back(grid: Grid) -> None:
    """A rollback asks for no yes, so it is no way to roll something out."""
    newest = commit(grid.tree, {"bot.py": "print(4)\n", ".gitignore": "config.yaml\n"}, "v4.0.0")
    git(grid.tree, "checkout", "--quiet", grid.new)
    told = grid("rollback", "bot", "--code", "v4.0.0", exits=3)
    assert "is no way back" in told.err
    assert grid.head == grid.new
    assert newest[:12] in told.err


def test_a_tree_that_was_changed_by_hand_is_refused_and_nothing_begins(grid: Grid) -> None:
    (grid.tree / "bot.py").write_text("print('fixed at night')\n")
    told = grid("rollback", "bot", "--to", "v2", "--code", "v2.0.0", exits=3)
    assert "bot.py" in told.err
    assert "stash" in told.err
    assert grid.rollout.log("bot", "RollbackRequested") == []
    assert (grid.head, grid.config) == (grid.new, "levels: 30   # what v3 runs with\n")
    drift = grid("drift", "bot", "-o", "json", exits=3).json
    assert drift[0]["subject"] == "code"
    assert "bot.py" in drift[0]["world"]


def test_a_rule_takes_no_code_back(grid: Grid) -> None:
    """I9: nobody can tell whether other code is less exposed; a rule rolls the configuration back."""
    told = grid("rollback", "bot", "--code", "v2.0.0", exits=3, ROLLOUT_ACTOR="rule:x")
    assert "a rule never raises exposure" in told.err
    grid("rollback", "bot", "--last-stable", ROLLOUT_ACTOR="rule:x")


def test_a_restart_that_fails_leaves_the_rollback_open(grid: Grid) -> None:
    """I12: mended, it goes on from there; what is done is not done again."""
    grid.set_restart("echo no such unit; exit 5")
    told = grid("rollback", "bot", "--to", "v2", "--code", "v2.0.0", exits=9)
    assert "exit code 5" in told.err
    assert "rollback resume bot" in told.err
    assert (grid.rollout.home / "restarts/bot.log").read_text() == "no such unit\n"
    assert grid("rollback", "status", "bot", "-o", "json").json["steps_done"] == 2
    grid.set_restart(f"echo started >> {grid.restarts}")
    grid("rollback", "resume", "bot")
    assert grid.started_with() == ["started"]
    assert len(grid.rollout.log("bot", "RollbackCompleted")) == 1


def test_a_restart_that_hangs_is_ended_and_one_in_the_background_lives(
    grid: Grid, tmp_path: Path
) -> None:
    grid.set_restart("sleep 600")
    words = (
        "system",
        "add",
        "bot",
        "--config-file",
        grid.tree / "config.yaml",
        "--code",
        grid.tree,
    )
    grid(*words, "--restart", str(grid.restart), "--restart-timeout", "0.3")
    assert "was killed" in grid("rollback", "bot", "--code", "v2.0.0", exits=9).err
    grid.set_restart(
        f"( while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; touch {tmp_path}/lived ) &"
    )
    grid("rollback", "resume", "bot")
    (tmp_path / "go").touch()
    for _ in range(200):
        if (tmp_path / "lived").exists():
            break
        time.sleep(0.02)
    assert (tmp_path / "lived").exists()


def test_a_pull_by_hand_is_drift_until_somebody_says_that_it_is_meant(grid: Grid) -> None:
    """Deploying as ever is fine; the ledger wants to be told."""
    git(grid.tree, "checkout", "--quiet", "HEAD", "--", "config.yaml")
    newer = commit(grid.tree, {"bot.py": "print(4)\n"}, "v4.0.0")
    (grid.tree / "config.yaml").write_text("levels: 30   # what v3 runs with\n")
    told = grid("drift", "bot", exits=3)
    assert newer in told.out.replace("\n", "")
    assert "--code" in told.err
    grid("recover", "bot", exits=3)
    assert "code" in grid("status", "bot", "-o", "json", exits=None).json["drift"]
    grid("config", "put", "bot", grid.tree / "config.yaml", "--in-force")
    grid("drift", "bot")
    assert grid("status", "bot", "-o", "json", exits=None).json["drift"] == {}


def test_without_the_ledger_the_code_stays(grid: Grid) -> None:
    """I5: the configuration can go back without it, and the message says so."""
    cut_off = Rollout(grid.rollout.home, "host=127.0.0.1 port=1 dbname=none user=none")
    told = cut_off("rollback", "bot", "--to", "v2", "--code", "v2.0.0", "--reason", "x", exits=9)
    assert "Without --code" in told.err
    assert grid.head == grid.new
    cut_off("rollback", "bot", "--to", "v2", "--reason", "x")
    assert grid.config == "levels: 2   # what v2 ran with\n"


def test_words_that_do_not_go_together(grid: Grid, tmp_path: Path) -> None:
    assert "leave --to" in grid("rollback", "bot", "--full", "--last-stable", exits=2).err
    assert "no rollout plan" in grid("rollback", "bot", "--full", exits=2).err
    assert "no commit" in grid("rollback", "bot", "--code", "v9", exits=2).err
    assert "--code FOLDER" in grid("system", "add", "b", "--restart", "x", exits=2).err
    (tmp_path / "other.yaml").write_text("a: 1\n")
    grid("system", "add", "plain", "--config-file", tmp_path / "other.yaml")
    grid("config", "put", "plain", tmp_path / "other.yaml", "--in-force")
    assert "no code checkout" in grid("rollback", "plain", "--code", "v2.0.0", exits=3).err
