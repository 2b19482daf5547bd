"""kill -9 while read models are caught up or rebuilt: the live ones stay, the next command goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from bench.generate import events
from ledger.fail_points import NAMES
from ledger.store.postgres import PostgresStore
from tests.support.commands import Rollout


@pytest.fixture
def filled(tmp_path: Path, embedded_dsn: str) -> Rollout:
    """A ledger with a little history, its read models caught up to a part of it."""
    rollout = Rollout(tmp_path / "home", embedded_dsn)
    store = PostgresStore(embedded_dsn)
    store.append(list(events(500, systems=3)))
    rollout("status", exits=None)
    store.append(list(events(900, systems=3))[500:])
    store.close()
    return rollout


def points(*kinds: str) -> list[str]:
    return sorted(name for name in NAMES if name.partition(".")[0] in kinds)


def require_whole(rollout: Rollout, tmp_path: Path, dsn: str) -> None:
    """The next command finds a model that is what the log gives, and nothing is left lying about."""
    told = rollout("projections", "verify", "-o", "json").json
    assert (told["outcome"], told["position"]) == ("identical", 900)
    document = (tmp_path / "home" / "incidents.json").read_bytes()
    assert rollout("incident", "export").out.encode() == document
    assert json.loads(document)["ledger"]["position"] <= 900
    rollout("projections", "rebuild")
    with psycopg.connect(dsn) as connection:
        left = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'readmodel%'"
        )
        assert left.fetchall() == [("readmodel",)]


@pytest.mark.parametrize("point", points("rebuild"))
def test_a_rebuild_killed_anywhere(
    point: str, filled: Rollout, tmp_path: Path, embedded_dsn: str
) -> None:
    """I7: readers have the live model all the while, and the next rebuild drops what was left."""
    before = filled("status", "-o", "json", exits=None).json
    filled("projections", "rebuild", fail_at=point)
    assert filled("status", "-o", "json", exits=None).json == before
    require_whole(filled, tmp_path, embedded_dsn)


@pytest.mark.parametrize("point", points("catch_up"))
def test_catching_up_killed_anywhere(
    point: str, filled: Rollout, tmp_path: Path, embedded_dsn: str
) -> None:
    """I12: rows and checkpoint are one transaction: nothing is applied twice, nothing left out."""
    filled("status", fail_at=point)
    require_whole(filled, tmp_path, embedded_dsn)


def test_a_rebuild_in_two_processes_killed_at_any_moment(tmp_path: Path, embedded_dsn: str) -> None:
    """I7: the second process gives up when the first is gone, and holds nothing for the next rebuild."""
    store = PostgresStore(embedded_dsn)
    for first in range(0, 8000, 1000):
        store.append(list(events(8000, systems=20))[first : first + 1000])
    store.close()
    rollout = Rollout(tmp_path / "home", embedded_dsn)
    rollout("status", exits=None)
    code = "\n".join(
        [
            "from projections import fresh",
            "from cli.main import main",
            "fresh.WORTH_A_PROCESS, fresh.PART = 1000, 500",
            "if __name__ == '__main__': main(['projections', 'rebuild'])",
        ]
    )
    script = tmp_path / "rebuild.py"
    script.write_text(code)
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"ROLLOUT_HOME": str(tmp_path / "home"), "ROLLOUT_DSN": embedded_dsn}
    for wait in (0.6, 1.0, 1.4):
        process = subprocess.Popen(
            [sys.executable, str(script)],
            env=environment | {"PYTHONPATH": root},
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert rollout("projections", "verify", "-o", "json").json["outcome"] == "identical"
    rollout("projections", "rebuild")
