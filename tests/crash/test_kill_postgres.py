"""kill -9 of PostgreSQL itself, while many append: what was acknowledged is durable (I2, I3, I4)."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from ledger.clock import SystemClock
from ledger.domain.log.envelope import NewEvent
from ledger.store import migrate
from ledger.store.embedded import EmbeddedPostgres, ServerState
from ledger.store.group_commit import GroupCommitter
from ledger.store.postgres import PostgresStore
from ledger.store.verify import verify
from tests.support.builders import an_event

KILLS = 3


@pytest.mark.as_root
@pytest.mark.timeout(240)
def test_acknowledged_events_survive_a_killed_server(home: Path) -> None:
    """With the settings a user has (fsync on), killed three times under eight writers and started again."""
    server = EmbeddedPostgres(home)
    dsn = server.ensure_running(timeout_seconds=60)
    migrate.upgrade(dsn)
    acknowledged: dict[int, NewEvent] = {}
    over = threading.Event()

    def call(number: int) -> int:
        count = 0
        while not over.is_set():
            event = an_event(f"system:{number}")
            answer = group.append(event)
            assert answer.outcome in {"appended", "duplicate"}
            assert answer.position is not None
            assert acknowledged.setdefault(answer.position, event) is event
            count += 1
        return count

    def wait_for_more() -> None:
        enough = len(acknowledged) + 200
        while len(acknowledged) < enough:
            assert not any(caller.done() for caller in callers)
            time.sleep(0.01)

    with (
        closing(PostgresStore(dsn)) as store,
        GroupCommitter(store, SystemClock(), patience_seconds=60) as group,
        ThreadPoolExecutor(8) as pool,
    ):
        callers = [pool.submit(call, number) for number in range(8)]
        try:
            for _ in range(KILLS):
                wait_for_more()
                pid = server.status().pid
                assert pid is not None
                os.kill(pid, signal.SIGKILL)
                while server.status().state is ServerState.RUNNING:  # a moment, until it is gone
                    time.sleep(0.01)
                assert server.ensure_running(timeout_seconds=60) == dsn
            wait_for_more()
        finally:
            over.set()
        assert sum(caller.result(90) for caller in callers) == len(acknowledged)
    with closing(PostgresStore(dsn)) as store:
        found = {event.position: event.event_id for event in store.read()}
    assert found == {position: event.event_id for position, event in acknowledged.items()}
    assert verify(dsn).problem is None
