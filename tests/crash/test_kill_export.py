"""kill -9 in the middle of an export: whole ranges or none, and the next one goes on (I12)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.fail_points import NAMES
from ledger.store.postgres import PostgresStore
from tests.support.archives import files, ranges
from tests.support.builders import events
from tests.support.commands import Rollout

pytestmark = pytest.mark.timeout(180)
POINTS = sorted(name for name in NAMES if name.startswith("archive."))


def append(dsn: str, count: int) -> None:
    """Append some events."""
    store = PostgresStore(dsn)
    for _ in range(0, count, 1000):
        store.append(events(min(count, 1000)))
    store.close()


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_step_it_goes_on(point: str, embedded_dsn: str, tmp_path: Path) -> None:
    """I12: what was sealed stays to the byte, nothing half-written has a name, and all is there at last."""
    rollout = Rollout(tmp_path / "home", embedded_dsn)
    archive = tmp_path / "archive"
    append(embedded_dsn, 10)
    rollout("export", "parquet", "--out", archive)
    sealed = files(archive)
    append(embedded_dsn, 7)
    rollout("export", "parquet", "--out", archive, fail_at=point)
    told = rollout("verify", "--archive", archive, "-o", "json").json
    assert told["last"] == (17 if point == "archive.after_rename" else 10)
    rollout("export", "parquet", "--out", archive)
    now = files(archive)
    assert {name: now[name] for name in sealed} == sealed
    assert [path.name for path in archive.iterdir() if path.name.startswith(".")] == []
    told = rollout("verify", "--archive", archive)
    assert "Positions 1 to 17 are as they were recorded" in told.out
    assert told.talk == ""
    assert len(ranges(archive)) == 2


def test_killed_while_it_writes(embedded_dsn: str, tmp_path: Path) -> None:
    """I12: as soon as the first files of a range lie there, whatever step that is."""
    append(embedded_dsn, 20_000)
    rollout = Rollout(tmp_path / "home", embedded_dsn)
    archive = tmp_path / "archive"
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "export", "parquet", "--out", archive],
        env=os.environ | {"ROLLOUT_DSN": embedded_dsn, "ROLLOUT_HOME": str(rollout.home)},
    )
    while process.poll() is None and not list(archive.glob(".range=*/system=*")):
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert rollout("verify", "--archive", archive, "-o", "json").json["last"] in {0, 20_000}
    rollout("export", "parquet", "--out", archive)
    assert rollout("verify", "--archive", archive, "-o", "json").json["last"] == 20_000
    assert len(ranges(archive)) == 1


def test_two_at_once_do_not_mix(embedded_dsn: str, tmp_path: Path) -> None:
    """One of them writes; the other is told so, or finds nothing left to do."""
    append(embedded_dsn, 3000)
    archive = tmp_path / "archive"
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "cli.main", "export", "parquet", "--out", archive],
            env=os.environ | {"ROLLOUT_DSN": embedded_dsn, "ROLLOUT_HOME": str(tmp_path)},
            stderr=subprocess.DEVNULL,
        )
        for _ in range(3)
    ]
    codes = sorted(process.wait() for process in started)
    assert codes[0] == 0
    assert set(codes) <= {0, 5}
    rollout = Rollout(tmp_path / "home", embedded_dsn)
    assert rollout("verify", "--archive", archive, "-o", "json").json["last"] == 3000
