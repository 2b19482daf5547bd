"""The stores that the contract is tested on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ledger.store.base import EventStore
from ledger.store.memory import MemoryStore
from ledger.store.postgres import PostgresStore
from tests.support.fakes import FrozenClock
from tests.support.postgres import SERVERS, server_named


@pytest.fixture(params=["memory", *SERVERS])
def store(request: pytest.FixtureRequest) -> Iterator[EventStore]:
    """An empty store of each kind."""
    if request.param == "memory":
        yield MemoryStore(FrozenClock())
        return
    server = server_named(request.param)
    with server.fresh_ledger() as conninfo:
        postgres = PostgresStore(conninfo)
        yield postgres
        postgres.close()
