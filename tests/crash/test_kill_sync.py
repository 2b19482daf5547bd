"""kill -9 of a sync, between every two steps and at any moment: the next one goes on (I12)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest

from ledger.fail_points import NAMES
from ledger.store.postgres import PostgresStore
from projections.audit.replica import replica_path
from tests.support.audit import ask
from tests.support.builders import events
from tests.support.commands import Rollout

COUNT = 400
# Files of fifty events, so that a short log is copied in eight transactions.
SYNC = """
import sys
from pathlib import Path
from projections.audit import log_reader
from projections.audit.sync import sync
log_reader.BATCH_EVENTS = 50
sync(sys.argv[1], Path(sys.argv[2]), rebuild=len(sys.argv) > 3)
"""


@pytest.fixture
def log(embedded_dsn: str) -> str:
    """Return the conninfo of a log of four hundred events."""
    store = PostgresStore(embedded_dsn)
    store.append(events(COUNT))
    store.close()
    return embedded_dsn


def start(dsn: str, home: Path, *more: str, **env: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", SYNC, dsn, str(home), *more], env=os.environ | env
    )


def held(home: Path) -> int:
    ((count,),) = ask(home, "SELECT count(*) FROM log.event")
    return int(count)


def assert_whole(dsn: str, home: Path) -> None:
    """A fresh process completes the replica, and what it holds is the log, once."""
    rollout = Rollout(home, dsn)
    question = "SELECT position, hex(chain) AS chain FROM log.event ORDER BY position"
    rows = rollout("sql", question, "-o", "json")
    with psycopg.connect(dsn) as connection:
        query = "SELECT position, upper(encode(chain, 'hex')) FROM ledger.event ORDER BY position"
        expected = connection.execute(query).fetchall()
    assert [(row["position"], row["chain"]) for row in rows.json] == expected
    assert not (home / "audit.tmp").exists()
    facts = "SELECT count(*), count(DISTINCT position) FROM facts.incident"
    assert ask(home, facts) == [(COUNT, COUNT)]


@pytest.mark.parametrize("point", sorted(name for name in NAMES if name.startswith("sync.")))
@pytest.mark.parametrize("more", [(), ("rebuild",)])
def test_a_sync_killed_between_two_steps(
    point: str, more: tuple[str, ...], log: str, tmp_path: Path
) -> None:
    """I12: a file's events are in the replica with all their facts, or not at all."""
    with start(log, tmp_path) as first:
        assert first.wait() == 0
    if not more:
        replica_path(tmp_path).unlink()
    with start(log, tmp_path, *more, ROLLOUT_FAIL_AT=point) as process:
        assert process.wait() == -signal.SIGKILL
    if more:
        assert held(tmp_path) == COUNT  # The one that is being replaced is of use until it is.
    elif replica_path(tmp_path).exists():
        assert held(tmp_path) == (50 if point == "sync.after_commit" else 0)
    assert_whole(log, tmp_path)


def test_a_sync_killed_at_any_moment(log: str, tmp_path: Path) -> None:
    """I12: wherever the kills fall; each sync goes on where the last one was."""
    reached = 0
    for milliseconds in range(150, 650, 50):
        process = start(log, tmp_path)
        timer = threading.Timer(milliseconds / 1000, process.send_signal, [signal.SIGKILL])
        timer.start()
        process.wait()
        timer.cancel()
        if replica_path(tmp_path).exists():
            Rollout(tmp_path, log)("sql", "--no-sync", "SELECT 1")
            assert reached <= (reached := held(tmp_path))
            assert reached % 50 == 0
    assert_whole(log, tmp_path)


def test_postgres_dies_during_a_sync(log: str, tmp_path: Path) -> None:
    """I12: what came over is kept; the next sync brings the rest."""
    done = threading.Event()

    def breaker() -> None:
        with psycopg.connect(log, autocommit=True) as connection:
            while not done.wait(0.01):
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name = 'rollout'"
                )

    thread = threading.Thread(target=breaker)
    thread.start()
    try:
        told = Rollout(tmp_path, log)("sql", "SELECT 1 AS one", exits=None)
    finally:
        done.set()
        thread.join()
    assert told.code in {0, 9}, told
    assert_whole(log, tmp_path)
