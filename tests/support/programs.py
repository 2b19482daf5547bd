"""Programs that a machine may lack: PostgreSQL 15's, promtool, prometheus.

Without one, the tests that need it are left out, and the run's last words say what it did not prove. Where
CI is set nothing is left out: what is missing fails.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

PG15_PROGRAMS: Final = Path(os.environ.get("ROLLOUT_TEST_PG15", "/usr/lib/postgresql/15/bin"))
CHOICE: Final = "ROLLOUT_TEST_PG"
INSISTS: Final = bool(os.environ.get("CI"))
NEEDS: Final = "needs"

PG15: Final = "PostgreSQL 15"
WHAT_THEY_PROVE: Final = {
    PG15: "that the ledger, its migrations and its read models work on PostgreSQL 15",
    "promtool": "that the rule files are Prometheus' own, and that our evaluation agrees with its own",
    "prometheus": "that metrics are read from a real Prometheus, and that rules hold where it says so",
}
HOW_TO_GET_THEM: Final = {
    PG15: "apt-get install postgresql-15, or name the folder of its programs in ROLLOUT_TEST_PG15",
    "promtool": "apt-get install prometheus",
    "prometheus": "apt-get install prometheus",
}


def is_here(program: str) -> bool:
    """Return whether this machine has the program."""
    if program == PG15:
        return (PG15_PROGRAMS / "postgres").exists()
    return shutil.which(program) is not None


def postgres_servers() -> list[str]:
    """Return the servers that tests run on. A developer may leave 15 out; nobody leaves 18 out."""
    chosen = os.environ.get(CHOICE) != "embedded" and is_here(PG15)
    return ["pg15", "embedded18"] if chosen or INSISTS else ["embedded18"]


def not_proved() -> list[str]:
    """Return a line for each thing that this run does not prove, and what would have it proved."""
    lines = [
        f"{proves}: {program} is missing ({HOW_TO_GET_THEM[program]})"
        for program, proves in WHAT_THEY_PROVE.items()
        if not is_here(program)
    ]
    if is_here(PG15) and "pg15" not in postgres_servers():
        lines.insert(0, f"{WHAT_THEY_PROVE[PG15]}: left out by {CHOICE}=embedded")
    return lines


def without_what_is_missing(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return the tests that this machine can run; all of them where CI insists."""
    if INSISTS:
        return list(items)
    return [item for item in items if not missing_for(item)]


def missing_for(item: pytest.Item) -> list[str]:
    """Return the programs that a test needs and that are not here."""
    needed = {str(program) for mark in item.iter_markers(NEEDS) for program in mark.args}
    unknown = needed - WHAT_THEY_PROVE.keys()
    assert not unknown, f"{item.nodeid} needs {unknown}, of which nobody says what they prove"
    return sorted(program for program in needed if not is_here(program))
