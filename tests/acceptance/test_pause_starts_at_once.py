"""A pause in a process of its own loads nothing that it does not need."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.test_imports import HEAVY
from tests.support.postgres import new_folder, stop_by_any_means

# Runs one command as `rollout` does, then tells which of the heavy modules came in.
PROGRAM = f"""
import sys
from cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    sys.stderr.write("heavy: " + " ".join(sorted({HEAVY!r} & sys.modules.keys())) + "\\n")
    raise
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a folder with a ledger's home in it."""
    folder = new_folder()
    yield folder
    stop_by_any_means(folder / "home")


def _rollout(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=os.environ | {"ROLLOUT_HOME": str(place / "home"), "ROLLOUT_ACTOR": "human:tester"},
        cwd=place,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_pause_loads_nothing_heavy_from_start_to_end(place: Path) -> None:
    """I5: what a person types at three in the morning starts at once, on the embedded ledger too."""
    added = _rollout(place, "system", "add", "bot", "--control-file", "mode.json")
    assert added.returncode == 0, added.stderr
    paused = _rollout(place, "pause", "bot", "--reason", "rejects are piling up")
    assert paused.returncode == 0, paused.stderr
    assert '"paused"' in (place / "mode.json").read_text(encoding="utf-8")
    assert paused.stderr.splitlines()[-1] == "heavy: "
