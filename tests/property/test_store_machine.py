"""Any history of appends: PostgreSQL answers as the store in memory does, and its chain holds."""

from __future__ import annotations

from dataclasses import replace

import psycopg
from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from ledger.domain.log import canonical
from ledger.domain.log.envelope import NewEvent
from ledger.store.base import chain_after
from ledger.store.memory import MemoryStore
from ledger.store.postgres import PostgresStore
from tests.support.builders import an_event
from tests.support.fakes import FrozenClock

STREAMS = st.sampled_from(["a", "b", "ü"])
OFFSETS = st.sampled_from([None, None, 0, 0, 0, -1, 1])
REUSE = st.sampled_from(["new", "new", "new", "again", "other body", "other stream"])

EMPTY_THE_LOG = """
ALTER TABLE ledger.event DISABLE TRIGGER ALL;
TRUNCATE ledger.event;
ALTER TABLE ledger.event ENABLE ALWAYS TRIGGER event_append_only;
"""


class Stores(RuleBasedStateMachine):
    """Sends every batch to both stores and compares what they say (I2, I3, I4)."""

    def __init__(self, dsn: str) -> None:
        super().__init__()
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(EMPTY_THE_LOG)
        self.postgres = PostgresStore(dsn)
        self.memory = MemoryStore(FrozenClock())
        self.sent: list[NewEvent] = []
        self.number = 0

    def revision(self, stream: str) -> int:
        return sum(1 for _ in self.memory.read_stream(stream))

    @initialize(count=st.integers(0, 3))
    def begin(self, count: int) -> None:
        batch = [an_event("a") for _ in range(count)]
        self.sent += batch
        assert len(self.postgres.append(batch)) == len(self.memory.append(batch)) == count

    @rule(
        items=st.lists(
            st.tuples(STREAMS, OFFSETS, REUSE, st.integers(0, 9)), min_size=1, max_size=6
        ),
        all_or_nothing=st.booleans(),
        follow=st.booleans(),
    )
    def append(
        self, items: list[tuple[str, int | None, str, int]], all_or_nothing: bool, follow: bool
    ) -> None:
        """A batch of new events, retries and misuses, with expectations that hold or not."""
        batch: list[NewEvent] = []
        for stream, offset, reuse, which in items:
            ahead = sum(event.stream == stream for event in batch) if follow else 0
            expected = None if offset is None else self.revision(stream) + ahead + offset
            self.number += 1
            event = an_event(stream, expected=expected, note=str(self.number))
            known = [*self.sent, *batch]
            if reuse != "new" and known:
                event = known[which % len(known)]
            if reuse == "other body":
                event = replace(event, body=b'{"other":true}')
            if reuse == "other stream":
                event = replace(event, stream="c", expected_revision=None)
            batch.append(event)
        said = self.postgres.append(batch, all_or_nothing=all_or_nothing)
        predicted = self.memory.append(batch, all_or_nothing=all_or_nothing)
        assert [(a.outcome, a.position, a.revision) for a in said] == [
            (a.outcome, a.position, a.revision) for a in predicted
        ]
        self.sent += batch

    @rule(after=st.integers(0, 30), up_to=st.one_of(st.none(), st.integers(0, 30)))
    def read(self, after: int, up_to: int | None) -> None:
        assert [e.event_id for e in self.postgres.read(after, up_to)] == [
            e.event_id for e in self.memory.read(after, up_to)
        ]

    @rule(stream=STREAMS, after=st.integers(0, 8), up_to=st.one_of(st.none(), st.integers(0, 30)))
    def read_stream(self, stream: str, after: int, up_to: int | None) -> None:
        assert [
            (e.position, e.revision) for e in self.postgres.read_stream(stream, after, up_to)
        ] == [(e.position, e.revision) for e in self.memory.read_stream(stream, after, up_to)]

    @invariant()
    def heads_agree(self) -> None:
        assert self.postgres.head().position == self.memory.head().position

    def teardown(self) -> None:
        chain = canonical.GENESIS
        for found, expected in zip(self.postgres.read(), self.memory.read(), strict=True):
            chain = chain_after(chain, found)
            assert found.chain == chain
            for field in (
                "position",
                "revision",
                "event_id",
                "stream",
                "type",
                "body",
                "occurred_at",
            ):
                assert getattr(found, field) == getattr(expected, field)
        self.postgres.close()


def test_postgres_does_what_memory_does(dsn: str) -> None:
    """I2, I3, I4 for histories that nobody thought of."""

    class StoresOnThisServer(Stores):
        def __init__(self) -> None:
            super().__init__(dsn)

    run_state_machine_as_test(
        StoresOnThisServer,
        settings=settings(settings.default, stateful_step_count=15),
    )
