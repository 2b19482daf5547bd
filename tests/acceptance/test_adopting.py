"""A plan names how its system is reached: adopting it registers the system, and tells what differs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.commands import Rollout, Told

PLAN = """
profile: grid
description: A grid on perpetuals
environment: staging
actuators:
  control_file: data/control/mode.json
  config_files: [{name: config.yaml, path: config.yaml}]
  code: {repository: ., fallback: v2.0.0, restart: [systemctl, restart, grid], restart_timeout: 2m}
"""


@pytest.fixture
def desk(tmp_path: Path, rollout: Rollout, monkeypatch: pytest.MonkeyPatch) -> Rollout:
    """A command line that runs in the folder of the system, with the plan in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.yaml").write_text(PLAN)
    (tmp_path / "config.yaml").write_text("size: 1\n")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return rollout


def registered(desk: Rollout, system: str = "grid") -> dict[str, object]:
    return desk("system", "show", system, "-o", "json").json


def adopt(desk: Rollout, *words: str, exits: int = 0) -> Told:
    return desk("profile", "adopt", "grid", "plan.yaml", "--reason", "agreed", *words, exits=exits)


def test_one_command_registers_and_adopts(desk: Rollout, tmp_path: Path) -> None:
    """Paths are where the command is run, as `system add` has it."""
    assert "grid is registered" in adopt(desk).err
    shown = registered(desk)
    assert (shown["environment"], shown["description"]) == ("staging", "A grid on perpetuals")
    assert shown["control_file"] == str(tmp_path / "data/control/mode.json")
    assert shown["config_files"] == [{"name": "config.yaml", "path": str(tmp_path / "config.yaml")}]
    assert shown["code"] == {
        "repository": str(tmp_path),
        "restart": ["systemctl", "restart", "grid"],
        "restart_timeout_ms": 120_000,
    }
    assert [row["type"] for row in desk.log("grid")] == ["SystemRegistered", "ProfileAdopted"]
    again = adopt(desk)
    assert "is the plan already" in again.out
    assert again.err == ""
    desk("switch", "grid", "--to", "mock", "--reason", "rehearsal", "--yes")
    mode = json.loads((tmp_path / "data/control/mode.json").read_text())
    assert mode["mode"] == "mock"


def test_a_system_that_is_reached_otherwise_is_told_and_stays(
    desk: Rollout, tmp_path: Path
) -> None:
    """Nobody's bot is pointed elsewhere by a plan; it takes a word. What the plan leaves out stays."""
    desk("system", "add", "grid", "--environment", "staging", "--control-file", "other.json",
         "--http-admin", "http://127.0.0.1:8001")  # fmt: skip
    told = adopt(desk)
    assert f"control_file {tmp_path}/data/control/mode.json" in told.err
    assert f"registered with {tmp_path}/other.json" in told.err
    assert "--register" in told.err
    assert registered(desk)["control_file"] == str(tmp_path / "other.json")
    assert "registered anew" in adopt(desk, "--register").err
    shown = registered(desk)
    assert shown["control_file"] == str(tmp_path / "data/control/mode.json")
    assert shown["http_admin"] == "http://127.0.0.1:8001"
    assert adopt(desk, "--register").err == ""
    (tmp_path / "plan.yaml").write_text(PLAN.replace("restart_timeout: 2m", "restart_timeout: 3m"))
    assert "the plan says code" in adopt(desk).err


def test_a_mistyped_name_makes_no_second_system(desk: Rollout) -> None:
    """One bot with two histories would have none."""
    adopt(desk)
    told = desk("profile", "adopt", "gird", "plan.yaml", "--reason", "x", exits=2)
    assert "Did you mean grid?" in told.err
    assert [row["system"] for row in desk("system", "list", "-o", "json").json] == ["grid"]


def test_a_plan_without_actuators_registers_nothing(desk: Rollout, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text("profile: p\nenvironment: production\n")
    assert "There is no system 'grid'" in adopt(desk, exits=2).err


@pytest.mark.parametrize(
    ("actuators", "said"),
    [
        ("http_admin: http://ann:secret@127.0.0.1:8001", "looks like a secret"),
        ("http_admin: ftp://127.0.0.1", "no http://"),
        ("config_files: [{name: a, path: a.yaml}]", "no suffix"),
        ("config_files: [{name: a.yaml, path: m.json}]\n  control_file: m.json", "lie at"),
    ],
)
def test_actuators_that_could_not_be_registered_are_refused(
    desk: Rollout, tmp_path: Path, actuators: str, said: str
) -> None:
    """I6: the same is refused as by `system add`, and nothing is recorded."""
    (tmp_path / "plan.yaml").write_text(
        f"profile: p\nenvironment: production\nactuators:\n  {actuators}\n"
    )
    assert said in adopt(desk, exits=2).err
    assert desk("system", "list", "-o", "json").json == []


def test_another_plan_needs_a_reason(desk: Rollout, tmp_path: Path) -> None:
    """I9, I11: the plan that takes the place of another may ask for less, so it is told why it did."""
    adopt(desk)
    (tmp_path / "plan.yaml").write_text(PLAN.replace("A grid", "One grid"))
    told = desk("profile", "adopt", "grid", "plan.yaml", exits=2)
    assert "grid takes the place of another plan: that needs a reason." in told.err
    assert "--reason TEXT" in told.err
    assert len(desk("log", "grid", "--type", "ProfileAdopted", "-o", "json").json) == 1
    assert "another plan" not in adopt(desk).err
