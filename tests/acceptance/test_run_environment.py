"""What a program finds in its environment: what its user has set, and what its configuration says."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Rollout

PLAN = """
profile: poly
environment: production
choices:
  PROFILE_NAME: {shadow: shadow.yaml, safe: safe.yaml}
variables: bot.env
phases:
  - {name: micro, choose: {PROFILE_NAME: safe}, overlay: {TRADE_SIZE: 2}}
"""
FILES = {
    "config.yaml": "TRADE_SIZE: 0\nport: 8001\n",
    "shadow.yaml": "TRADE_SIZE: 1 # shadow\n",
    "safe.yaml": "TRADE_SIZE: 5 # safe\n",
    "bot.env": "export AUDIT_TO_FILE=true\nNOTE='two words' # note\n",
}
SHOW = "import os; print(*(os.environ.get(n, '-') for n in {names!r}.split()))"


class Poly:
    """A bot with one of two profile files, and variables."""

    def __init__(self, folder: Path, rollout: Rollout) -> None:
        self.folder, self.rollout = folder, rollout
        rollout.env.update(ROLLOUT_REASON="agreed", ROLLOUT_YES="1")
        for name, text in FILES.items():
            (folder / name).write_text(text)
        (folder / "plan.yaml").write_text(PLAN)
        places = [word for name in FILES for word in ("--config-file", folder / name)]
        rollout("system", "add", "bot", *places)
        rollout("profile", "adopt", "bot", folder / "plan.yaml")

    def put(self, *names: str, exits: int = 0, **options: str) -> Any:
        paths = [self.folder / name for name in names]
        return self.rollout("config", "put", "bot", *paths, "--in-force", "--stable", exits=exits)

    def run(self, names: str, *, exits: int = 0, words: tuple[str, ...] = (), **env: str) -> Any:
        return self.rollout(
            "run", "bot", "--out", self.folder / "out", "--countdown", "0", *words, "--",
            sys.executable, "-c", SHOW.format(names=names), exits=exits, **env,
        )  # fmt: skip

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()


@pytest.fixture
def poly(tmp_path: Path, rollout: Rollout) -> Poly:
    return Poly(tmp_path, rollout)


def test_a_phase_chooses_its_file_and_its_overlay_goes_into_that_one(poly: Poly) -> None:
    """IN-USE 12: not into the file of another profile; and a rollback gives the choice back."""
    told = poly.put("config.yaml", "shadow.yaml", "safe.yaml", exits=2)
    assert "shadow.yaml, safe.yaml: PROFILE_NAME chooses one of them" in told.err
    poly.put("config.yaml", "shadow.yaml", "bot.env")
    (row,) = poly.rollout("config", "list", "bot", "-o", "json").json
    first = row["fingerprint"]
    poly.rollout("phase", "enter", "bot", "micro")
    assert poly.text("safe.yaml") == "TRADE_SIZE: 2 # safe\n"
    assert poly.text("shadow.yaml") == FILES["shadow.yaml"]
    assert poly.text("config.yaml") == FILES["config.yaml"]
    assert poly.run("PROFILE_NAME").out.splitlines()[-1] == "safe"
    refused = poly.run("PROFILE_NAME", exits=3, PROFILE_NAME="shadow")
    assert "says something else of PROFILE_NAME than is set here" in refused.err
    poly.rollout("rollback", "bot", "--to", first)
    assert poly.run("PROFILE_NAME", PROFILE_NAME="shadow").out.splitlines()[-1] == "shadow"


def test_variables_are_a_part_of_the_configuration(poly: Poly) -> None:
    """Read from their file when the program starts; what somebody has set otherwise is refused by name."""
    poly.put("config.yaml", "shadow.yaml", "bot.env")
    names = "AUDIT_TO_FILE NOTE EXEC_MODE"
    assert poly.run(names).out.splitlines()[-1] == "true two words mock"
    assert poly.run(names, AUDIT_TO_FILE="true").out.splitlines()[-1] == "true two words mock"
    told = poly.run(names, exits=3, AUDIT_TO_FILE="false")
    assert "of AUDIT_TO_FILE than is set here: nothing started" in told.err
    assert "false" not in told.err
    assert "RunStarted" not in [row["type"] for row in poly.rollout.log("bot")][-1:]


def test_what_the_user_has_set_stays(poly: Poly) -> None:
    """IN-USE 12: RUN_TAG of a script names the run, unless --run-tag does; an other PROFILE_NAME stays."""
    (poly.folder / "plan.yaml").write_text("profile: poly\nenvironment: production\n")
    poly.rollout("profile", "adopt", "bot", poly.folder / "plan.yaml")
    poly.put("config.yaml")
    told = poly.run("RUN_TAG PROFILE_NAME", RUN_TAG="20260201_canary", PROFILE_NAME="mine")
    assert told.out.splitlines()[0].startswith("run_tag=20260201_canary ")
    assert told.out.splitlines()[-1] == "20260201_canary mine"
    assert (poly.folder / "out/run_tag.txt").read_text() == "20260201_canary\n"
    assert poly.run("PROFILE_NAME").out.splitlines()[-1] == "poly"
    told = poly.run("RUN_TAG", words=("--run-tag", "t2"), RUN_TAG="t1")
    assert told.out.splitlines()[0].startswith("run_tag=t2 ")


def test_the_first_line_names_the_keys_that_the_plan_wants(poly: Poly) -> None:
    """Guide 003: a log says by its first line what ran; run.json has the same, as the ledger writes it."""
    (poly.folder / "plan.yaml").write_text(f"first_line: [TRADE_SIZE, fusion, gate]\n{PLAN}")
    poly.rollout("profile", "adopt", "bot", poly.folder / "plan.yaml")
    fusion = "fusion: {w: [0.6, 0.4], how: weighted sum, by: ofi}\n"
    (poly.folder / "config.yaml").write_text(poly.text("config.yaml") + fusion)
    poly.put("config.yaml", "shadow.yaml", "bot.env")
    first = poly.run("RUN_TAG").out.splitlines()[0]
    assert first.endswith(
        ' TRADE_SIZE=1 fusion.by=ofi fusion.how="weighted sum" fusion.w[0]=0.6 fusion.w[1]=0.4 gate=-'
    )
    told = json.loads(poly.text("out/run.json"))["configuration"]
    assert (told["fusion.by"], told["fusion.w[0]"], told["gate"]) == ('"ofi"', "0.6", None)
