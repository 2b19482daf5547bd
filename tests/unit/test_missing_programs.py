"""What a run says on a machine that lacks programs: its last words, or a failure where CI insists."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOME = "tests/acceptance/test_promtool.py", "tests/unit/test_severities.py"
LACKING = {"PATH": "/nowhere", "ROLLOUT_TEST_PG15": "/nowhere"}


def pytest_says(*words: str, **env: str) -> tuple[int, str]:
    """Run some tests in a pytest of their own; return its exit code and what it said."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith(("CI", "PYTEST"))}
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "--no-header", *words],
        env=ours | env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return told.returncode, told.stdout


def test_the_rest_is_run_and_the_end_says_what_was_not_proved() -> None:
    """README: `make test` passes for whoever has just cloned this, and claims no more than it saw."""
    code, said = pytest_says(*SOME, **LACKING)
    assert code == 0, said
    lines = said.splitlines()
    (start,) = (at for at, line in enumerate(lines) if " NOT PROVED BY THIS RUN " in line)
    missing = [line.partition(" is missing (")[0] for line in lines[start + 1 :]][:3]
    assert [line.rpartition(": ")[2] for line in missing] == [
        "PostgreSQL 15", "promtool", "prometheus",
    ]  # fmt: skip
    assert all(line.startswith("NOT PROVED: that ") for line in missing)
    assert "deselected" in lines[-1]


def test_ci_insists_on_all() -> None:
    """A release is not proved by half of the proofs."""
    code, said = pytest_says(*SOME, CI="true", **LACKING)
    assert code == 1
    assert "promtool is missing: apt-get install prometheus" in said
    code, said = pytest_says(
        "tests/contract/test_event_store.py", "-x", "-k", "pg15", CI="true", **LACKING
    )
    assert code == 1
    assert "PostgreSQL 15 is missing: apt-get install postgresql-15" in said


@pytest.mark.parametrize(("ci", "servers"), [("", 0), ("true", 1)])
def test_a_developer_may_leave_15_out_and_ci_may_not(ci: str, servers: int) -> None:
    """ROLLOUT_TEST_PG=embedded is for the desk."""
    code, said = pytest_says(
        "tests/contract/test_event_store.py", "--collect-only", "-k", "pg15",
        ROLLOUT_TEST_PG="embedded", CI=ci,
    )  # fmt: skip
    assert bool(code == 0) == bool(servers), said
    assert ("left out by ROLLOUT_TEST_PG=embedded" in said) is not bool(servers)
