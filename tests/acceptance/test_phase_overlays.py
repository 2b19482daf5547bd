"""A phase's overlay on the configuration: set in the files as the phase is entered, in one operation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.commands import Rollout, Told

BASE = """\
# the grid, as agreed
mode: "production"
grid: {per_grid_amount: 10, max_levels: 5}   # small
v3_features:
  level_generation_enabled: false   # off until Monday
  score_refresh_only: true
api_secret: "kQ7v9xZ2mPq4LrT8wYb3NcD6fGhJ5sKa"
"""
SMALL = BASE.replace("enabled: false", "enabled: true").replace(
    "only: true\n", "only: false\n  kline_sync: true\n"
)
PLAN = """
profile: grid
environment: production
phases:
  - name: simulation
    exposure: {grid.max_levels: 5}
  - name: small
    exposure: {grid.max_levels: 5}
    overlay:
      v3_features.level_generation_enabled: true
      v3_features.score_refresh_only: false
      v3_features.kline_sync: true
    entry: {approvals: {roles: {ops_lead: 1}}}
  - name: full
    overlay: {grid.max_levels: 50}
    exposure: {grid.max_levels: 10}
"""


class Grid:
    """A grid bot with one configuration file, in the first phase of its plan."""

    def __init__(self, folder: Path, rollout: Rollout) -> None:
        self.folder = folder
        self.path = folder / "config.yaml"
        self.rollout = rollout
        self.path.write_text(BASE)
        (folder / "plan.yaml").write_text(PLAN)
        self("system", "add", "bot", "--config-file", self.path)
        self("config", "put", "bot", self.path, "--in-force", "--stable", "--tag", "base")
        self("profile", "adopt", "bot", folder / "plan.yaml")
        self("phase", "enter", "bot", "simulation")

    def __call__(
        self, *words: str | Path, exits: int | None = 0, fail_at: str | None = None, **env: str
    ) -> Told:
        given = {"ROLLOUT_REASON": "agreed", "ROLLOUT_YES": "1", **env}
        return self.rollout(*words, exits=exits, fail_at=fail_at, **given)

    def sign(self) -> None:
        self("approve", "request", "bot", "phase:small")
        name = self("approve", "list", "bot", "-o", "json").json[0]["request"]
        self("approve", "grant", "bot", name, "--role", "ops_lead", ROLLOUT_ACTOR="human:ops")

    @property
    def phase(self) -> str:
        rows = self("phase", "list", "bot", "-o", "json").json
        return next(row["phase"] for row in rows if row["status"] == "progressing")

    def events(self) -> list[str]:
        return [row["type"] for row in self.rollout.log("bot")]


@pytest.fixture
def grid(tmp_path: Path, rollout: Rollout) -> Grid:
    return Grid(tmp_path, rollout)


def test_advancing_sets_the_keys_and_nothing_else(grid: Grid) -> None:
    """Comments, order and secrets stay as they are; the fingerprint, its diff and the phase are recorded."""
    grid.sign()
    told = grid("phase", "advance", "bot", "--dry-run")
    assert "v3_features.kline_sync" in told.out
    assert "would append: ConfigRegistered, ConfigApplyRequested, ConfigApplied" in told.err
    assert grid.path.read_text() == BASE
    before = grid.events()
    grid("phase", "advance", "bot")
    assert grid.path.read_text() == SMALL
    assert grid.events()[len(before) :] == [
        "ConfigRegistered", "ConfigApplyRequested", "ConfigApplied", "PhaseAdvanced", "PhaseEntered",
    ]  # fmt: skip
    applied = grid.rollout.log("bot", "ConfigApplied")[-1]
    told = grid("show", str(applied["position"]), "-o", "json").json
    assert {change["key"]: (change.get("old"), change.get("new")) for change in told["data"]["changes"]} == {
        "v3_features.level_generation_enabled": ("false", "true"),
        "v3_features.score_refresh_only": ("true", "false"),
        "v3_features.kline_sync": (None, "true"),
    }  # fmt: skip
    assert grid.phase == "small"
    assert "kQ7v9xZ2" not in json.dumps(grid.rollout.log("bot"))
    grid("drift", "bot")
    grid("rollback", "bot", "--last-stable")
    assert grid.path.read_text() == BASE
    grid("verify")


def test_what_the_phase_wants_first_is_wanted_before_anything_is_written(grid: Grid) -> None:
    """I9: the overlay raises exposure, so the phase's own gate, people and order come first."""
    assert "ops_lead" in grid("phase", "advance", "bot", exits=8).err
    assert (
        "a rule never raises"
        in grid("phase", "advance", "bot", exits=3, ROLLOUT_ACTOR="rule:x").err
    )
    assert grid.path.read_text() == BASE
    assert "ConfigApplyRequested" not in grid.events()
    assert grid.phase == "simulation"


def test_a_limit_holds_for_the_overlay_too(grid: Grid) -> None:
    grid.sign()
    grid("phase", "advance", "bot")
    grid("gate", "waive", "bot", "phase:small", "--break-glass", "--until", "1h")
    told = grid("phase", "advance", "bot", exits=3)
    assert "grid.max_levels is 50, more than the 10" in told.err
    assert grid("phase", "advance", "bot", "--dry-run", exits=3).err == told.err
    assert grid.path.read_text() == SMALL
    assert grid.phase == "small"


def test_files_that_were_changed_by_hand_are_settled_first(grid: Grid) -> None:
    """Nobody signed for what somebody typed in at night; a comment is no change."""
    grid.sign()
    grid.path.write_text(BASE.replace("max_levels: 5", "max_levels: 4"))
    told = grid("phase", "advance", "bot", exits=3)
    assert "changed by hand" in told.err
    assert "rollout drift bot" in told.err
    grid.path.write_text(BASE.replace("# small", "# small, as Li says"))
    grid("phase", "advance", "bot")
    assert grid.path.read_text() == SMALL.replace("# small", "# small, as Li says")


def test_a_file_that_can_not_be_set_is_told_and_left(grid: Grid) -> None:
    text = "a: &all {level_generation_enabled: false}\nv3_features: *all\ngrid: {max_levels: 5}\n"
    grid.path.write_text(text)
    grid("config", "put", "bot", grid.path, "--in-force")
    grid.sign()
    told = grid("phase", "advance", "bot", exits=2)
    assert "config.yaml: v3_features.kline_sync can't be set there" in told.err
    assert grid.path.read_text() == text
    assert grid.phase == "simulation"


def test_a_write_that_fails_enters_no_phase(grid: Grid) -> None:
    """I12: neither is the case without the other."""
    grid.sign()
    grid("phase", "advance", "bot", fail_at="apply.after_intent")
    target = grid.folder / "gone"
    grid.path.rename(target)
    grid.path.mkdir()
    grid("recover", "bot", exits=None)
    grid.path.rmdir()
    target.rename(grid.path)
    grid("recover", "bot")
    assert grid.path.read_text() == BASE
    assert grid.phase == "simulation"
    assert grid.events().count("ConfigApplyFailed") == 1


@pytest.mark.parametrize(
    "point",
    ["apply.after_intent", "apply.after_file", "apply.before_outcome", "apply.after_outcome"],
)
def test_killed_anywhere_phase_and_configuration_agree(grid: Grid, point: str) -> None:
    """I12: nothing written: the phase is not entered; written: both are recorded, once."""
    grid.sign()
    grid("phase", "advance", "bot", fail_at=point)
    grid("recover", "bot")
    done = point != "apply.after_intent"
    assert grid.path.read_text() == (SMALL if done else BASE)
    assert grid.phase == ("small" if done else "simulation")
    grid("drift", "bot")
    if not done:
        grid("phase", "advance", "bot")
    assert (grid.phase, grid.path.read_text()) == ("small", SMALL)
    for once in ("PhaseAdvanced", "ConfigApplied"):
        assert grid.events().count(once) == (1 if once == "PhaseAdvanced" else 2)


def test_held_before_it_is_recovered_it_is_not_entered(grid: Grid) -> None:
    """I12: who came later has the last word; what stands in the file is recorded all the same."""
    grid.sign()
    grid("phase", "advance", "bot", fail_at="apply.after_file")
    grid("phase", "hold", "bot")
    grid("recover", "bot")
    assert grid.path.read_text() == SMALL
    assert grid.events()[-1] == "StateRecovered"
    assert "PhaseAdvanced" not in grid.events()
    rows = grid("phase", "list", "bot", "-o", "json").json
    assert [row["status"] for row in rows] == ["held", "", ""]
    grid("phase", "release", "bot")
    grid.sign()
    grid("phase", "advance", "bot")
    assert grid.phase == "small"


def test_giving_up_puts_back_what_was_before(grid: Grid) -> None:
    """I16, I10: once; what was given up is in quarantine, so that nobody advances into it by mistake."""
    grid.sign()
    grid("phase", "advance", "bot")
    told = grid("phase", "abort", "bot", "--dry-run")
    assert "v3_features.kline_sync" in told.out
    assert "PhaseAborted" in told.err
    assert grid.path.read_text() == SMALL
    assert "is in force again" in grid("phase", "abort", "bot").out
    assert grid.path.read_text() == BASE
    grid("drift", "bot")
    assert "is aborted" in grid("phase", "abort", "bot", exits=3).err
    assert grid.events().count("RollbackCompleted") == 1
    grid.sign()
    assert "in quarantine" in grid("phase", "enter", "bot", "small", exits=3).err


def test_giving_up_leaves_what_somebody_put_in_force_since(grid: Grid) -> None:
    """A later decision of a person is not undone."""
    grid.sign()
    grid("phase", "advance", "bot")
    text = SMALL.replace("max_levels: 5", "max_levels: 4")
    grid.path.write_text(text)
    grid("config", "put", "bot", grid.path, "--in-force")
    assert "is in force again" not in grid("phase", "abort", "bot").out
    assert grid.path.read_text() == text


def test_giving_up_in_the_first_phase_leaves_its_overlay(grid: Grid) -> None:
    """I9: what stood there before the rollout may be more exposed than what the first phase allows."""
    grid("phase", "abort", "bot")
    first = "name: simulation\n"
    overlay = f"{first}    overlay: {{grid.max_levels: 3}}\n"
    (grid.folder / "plan.yaml").write_text(PLAN.replace(first, overlay))
    grid("profile", "adopt", "bot", grid.folder / "plan.yaml")
    grid("phase", "enter", "bot", "simulation")
    assert "max_levels: 3" in grid.path.read_text()
    assert "would append: PhaseAborted" in grid("phase", "abort", "bot", "--dry-run").out
    grid("phase", "abort", "bot")
    assert "max_levels: 3" in grid.path.read_text()


def test_given_up_even_where_nothing_can_be_put_back(grid: Grid) -> None:
    """Giving up is never refused; what could not be done is told, with the command that does it later."""
    grid.sign()
    grid("phase", "advance", "bot")
    away = grid.path.rename(grid.folder / "away")
    grid.path.mkdir()
    told = grid("phase", "abort", "bot", exits=1)
    assert "The rollout is given up" in told.err
    assert grid.events()[-1] == "PhaseAborted"
    grid.path.rmdir()
    away.rename(grid.path)
    grid("rollback", *told.err.partition("rollout rollback ")[2].split()[:3])
    assert grid.path.read_text() == BASE


def test_going_back_sets_what_the_earlier_phase_says(grid: Grid) -> None:
    """A key that a phase does not name stays as it is: to change it, name it."""
    first = "name: simulation\n"
    overlay = f"{first}    overlay: {{v3_features.score_refresh_only: true}}\n"
    (grid.folder / "plan.yaml").write_text(PLAN.replace(first, overlay))
    grid("profile", "adopt", "bot", grid.folder / "plan.yaml")
    grid.sign()
    grid("phase", "advance", "bot")
    grid("phase", "enter", "bot", "simulation")
    assert grid.path.read_text() == SMALL.replace("refresh_only: false", "refresh_only: true")
    assert grid.phase == "simulation"


def test_without_files_the_operator_is_told(grid: Grid) -> None:
    """A system whose files the ledger may not write is configured by its people, as ever."""
    (grid.folder / "other.yaml").write_text(BASE)
    grid("system", "add", "plain")
    grid("config", "put", "plain", grid.folder / "other.yaml", "--in-force")
    plan = PLAN.replace("name: simulation\n", "name: simulation\n    overlay: {mode: staging}\n")
    (grid.folder / "plain.yaml").write_text(plan)
    grid("profile", "adopt", "plain", grid.folder / "plain.yaml")
    told = grid("phase", "enter", "plain", "simulation", exits=3)
    assert 'mode is "production", and this phase has "staging"' in told.err
