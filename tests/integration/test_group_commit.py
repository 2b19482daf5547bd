"""Many callers through one writer: each gets its own answer, and nothing is lost or doubled (I2, I4)."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import psycopg
import pytest

from ledger.clock import SystemClock
from ledger.domain.errors import LedgerError, LedgerUnreachable
from ledger.domain.log.envelope import NewEvent
from ledger.store import group_commit
from ledger.store.group_commit import GroupCommitter
from ledger.store.memory import MemoryStore
from ledger.store.postgres import PostgresStore
from tests.support.builders import an_event
from tests.support.fakes import FrozenClock
from tests.support.logs import assert_sound
from tests.support.proxy import Proxy

pytestmark = pytest.mark.timeout(120)


@contextmanager
def committer(dsn: str, patience_seconds: float = 15.0) -> Iterator[GroupCommitter]:
    with (
        closing(PostgresStore(dsn)) as store,
        GroupCommitter(store, SystemClock(), patience_seconds=patience_seconds) as opened,
    ):
        yield opened


@contextmanager
def held_up(dsn: str) -> Iterator[None]:
    """Hold the log's lock, so that events pile up; they go when the block ends."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(7811887409951363436)")
        yield


def assert_log(dsn: str, acknowledged: dict[int, NewEvent]) -> None:
    """The log is sound and holds exactly what was acknowledged, where it was said to be."""
    with closing(PostgresStore(dsn)) as store:
        assert_sound(store)
        assert {e.position: e.event_id for e in store.read()} == {
            position: event.event_id for position, event in acknowledged.items()
        }


def test_threads(dsn: str) -> None:
    """Sixteen threads, each waiting for its own answer; each sees its own events in order."""
    acknowledged: dict[int, NewEvent] = {}

    def call(number: int) -> list[int]:
        positions: list[int] = []
        for _ in range(40):
            event = an_event(f"system:{number}")
            answer = group.append(event)
            assert answer.outcome == "appended"
            assert answer.position is not None
            acknowledged[answer.position] = event
            positions.append(answer.position)
        return positions

    with committer(dsn) as group, ThreadPoolExecutor(16) as pool:
        for positions in pool.map(call, range(16)):
            assert positions == sorted(positions)
    assert len(acknowledged) == 640
    assert_log(dsn, acknowledged)


def test_tasks(dsn: str) -> None:
    """Sixty-four tasks of one loop."""
    acknowledged: dict[int, NewEvent] = {}

    async def call(number: int) -> None:
        for _ in range(20):
            event = an_event(f"system:{number}")
            answer = await group.append_soon(event)
            assert answer.position is not None
            acknowledged[answer.position] = event

    async def main() -> None:
        await asyncio.gather(*(call(number) for number in range(64)))

    with committer(dsn) as group:
        asyncio.run(main())
    assert len(acknowledged) == 64 * 20
    assert_log(dsn, acknowledged)


def test_callers_share_a_flush(dsn: str) -> None:
    """What waits is the next batch: a hundred events that pile up are few commits."""
    with committer(dsn) as group:
        with held_up(dsn):
            futures = [group.submit(an_event(f"system:{n % 7}")) for n in range(100)]
        answers = [future.result(30) for future in futures]
    # Events of one batch have one time. The first ones went ahead, and met the lock.
    assert len({answer.recorded_at for answer in answers}) <= 2
    assert [answer.position for answer in answers] == list(range(1, 101))


def test_batches_are_bounded(dsn: str) -> None:
    """At most 512 items, at most 256 KiB; an event that is larger goes alone."""
    with committer(dsn) as group:
        with held_up(dsn):
            small = [group.submit(an_event()) for _ in range(1_200)]
            large = [group.submit(an_event(body=b"x" * 100_000)) for _ in range(5)]
            huge = [group.submit(an_event(body=b"x" * 1_000_000)) for _ in range(2)]
        sizes = Counter(future.result(30).recorded_at for future in small)
        assert max(sizes.values()) == group_commit.ITEMS_MAX
        sizes = Counter(future.result(30).recorded_at for future in large)
        assert max(sizes.values()) == 2
        assert len({future.result(30).recorded_at for future in huge}) == 2


def test_everybody_gets_their_own_answer(dsn: str) -> None:
    """I4: a conflict, a retry and a misused id in one batch harm nobody else."""
    with committer(dsn) as group:
        first = an_event("system:a")
        assert group.append(first).position == 1
        with held_up(dsn):
            group.submit(an_event())
            sent = [
                an_event("system:a", expected=1),
                an_event("system:a", expected=1),
                first,
                NewEvent(first.event_id, "x", "T", 1, first.occurred_at, b"{}"),
                an_event("system:b", expected=0),
            ]
            futures = [group.submit(event) for event in sent]
        answers = [future.result(30) for future in futures]
    assert [answer.outcome for answer in answers] == [
        "appended", "conflict", "duplicate", "id_reused", "appended",
    ]  # fmt: skip
    assert answers[2].position == 1
    assert answers[1].revision == 2


@pytest.mark.parametrize("stream", ["a\x00b", "lone \ud800 surrogate"])
def test_what_can_not_be_sent_harms_its_sender_only(dsn: str, stream: str) -> None:
    """One that the driver or the database refuses outright is told so; the others are appended."""
    with committer(dsn) as group:
        with held_up(dsn):
            futures = [
                group.submit(an_event(stream if number == 7 else "system:a"))
                for number in range(20)
            ]
        for number, future in enumerate(futures):
            if number == 7:
                with pytest.raises((LedgerError, UnicodeEncodeError)):
                    future.result(30)
            else:
                assert future.result(30).outcome == "appended"
        assert group.append(an_event()).position == 20


def test_backends_killed_in_mid_flight(dsn: str) -> None:
    """I2, I4, I12: whatever was acknowledged is in the log, once; whoever got no answer may ask again."""
    acknowledged: dict[int, NewEvent] = {}
    stop = threading.Event()

    def kill() -> None:
        with psycopg.connect(dsn, autocommit=True) as admin:
            while not stop.is_set():
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND application_name = 'rollout'"
                )
                time.sleep(0.03)

    def call(number: int) -> None:
        for _ in range(30):
            event = an_event(f"system:{number}")
            answer = group.append(event)
            assert answer.outcome in {"appended", "duplicate"}
            assert answer.position is not None
            assert answer.position not in acknowledged
            acknowledged[answer.position] = event

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with committer(dsn) as group, ThreadPoolExecutor(16) as pool:
            list(pool.map(call, range(16)))
    finally:
        stop.set()
        killer.join()
    assert len(acknowledged) == 480
    assert_log(dsn, acknowledged)


def test_an_answer_that_was_lost_after_the_commit(dsn: str) -> None:
    """I4: the worst moment. The event is in the log and nobody was told; the retry finds it there."""
    with Proxy(dsn) as proxy, committer(proxy.dsn) as group:
        for position in range(3, 19, 3):
            for _ in range(2):  # so that the next request is an append, and not its preparation
                assert group.append(an_event()).outcome == "appended"
            proxy.cut_next()
            answer = group.append(an_event())
            assert (answer.outcome, answer.position) == ("duplicate", position)
        assert proxy.cuts == 6
        assert group.append(an_event()).position == 19
    with closing(PostgresStore(dsn)) as store:
        assert_sound(store)


def test_a_store_alone_survives_the_same(dsn: str) -> None:
    """I4: so does a store without a group commit, batch or not."""
    with Proxy(dsn) as proxy, closing(PostgresStore(proxy.dsn)) as store:
        for _ in range(2):
            store.append([an_event()])
        proxy.cut_next()
        assert [a.outcome for a in store.append([an_event(), an_event()])] == ["duplicate"] * 2
        assert store.head().position == 4


def test_a_ledger_that_stays_away() -> None:
    """When patience has run out, each caller is told that it may send its event again."""
    with committer("host=/nonexistent dbname=x", patience_seconds=0.1) as group:
        futures = [group.submit(an_event()) for _ in range(3)]
        for future in futures:
            with pytest.raises(LedgerUnreachable):
                future.result(30)
        with pytest.raises(LedgerUnreachable):
            group.append(an_event())


def test_a_ledger_that_comes_back(dsn: str) -> None:
    """A restart: while nobody answers the batch waits; then it goes, once."""
    with Proxy(dsn) as proxy, committer(proxy.dsn) as group:
        assert group.append(an_event()).position == 1
        proxy.go_down()
        futures = [group.submit(an_event()) for _ in range(5)]
        time.sleep(0.3)
        assert not any(future.done() for future in futures)
        proxy.come_back()
        assert sorted(future.result(30).position or 0 for future in futures) == [2, 3, 4, 5, 6]
        assert group.append(an_event()).position == 7


class TestClosing:
    """A clean end: nothing that was accepted is forgotten, nothing is accepted afterwards."""

    def test_what_waits_is_appended(self, dsn: str) -> None:
        """Close is not cancel."""
        with closing(PostgresStore(dsn)) as store:
            group = GroupCommitter(store, SystemClock())
            with held_up(dsn):
                futures = [group.submit(an_event()) for _ in range(1_000)]
                closer = threading.Thread(target=group.close)
                closer.start()
            closer.join(30)
            assert {future.result(0).outcome for future in futures} == {"appended"}
            assert store.head().position == 1_000

    def test_nothing_is_accepted_afterwards(self) -> None:
        """From threads and from tasks alike, and a second close changes nothing."""
        group = GroupCommitter(MemoryStore(FrozenClock()), SystemClock())
        group.close()
        group.close()
        with pytest.raises(LedgerError, match="closed"):
            group.submit(an_event())
        with pytest.raises(LedgerError, match="closed"):
            asyncio.run(group.append_soon(an_event()))

    def test_tasks_that_have_gone(self, dsn: str) -> None:
        """A cancelled task, a closed loop: the event is appended, and the writer lives on."""
        with committer(dsn) as group:

            async def give_up() -> None:
                with held_up(dsn):
                    group.submit(an_event())
                    task = asyncio.ensure_future(group.append_soon(an_event()))
                    await asyncio.sleep(0.05)
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task

            asyncio.run(give_up())

            async def leave() -> None:
                group_task = asyncio.ensure_future(group.append_soon(an_event()))
                await asyncio.sleep(0)
                group_task.cancel()

            asyncio.run(leave())
            assert group.append(an_event()).position == 4


def test_too_many_that_wait(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that grows without end would be a crash later; it is an error now."""
    monkeypatch.setattr(group_commit, "WAITING_MAX", 10)
    with committer(dsn) as group, held_up(dsn):
        group.submit(an_event())
        time.sleep(0.2)
        for _ in range(10):
            group.submit(an_event())
        with pytest.raises(LedgerUnreachable, match="can't keep up"):
            group.submit(an_event())
