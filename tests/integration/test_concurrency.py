"""Many writers, slow writers, dying writers: positions stay dense, in commit order, and never move (I2)."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import pairwise
from typing import LiteralString, TypeVar
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from ledger.domain.errors import LedgerError, LedgerUnreachable
from ledger.domain.log import canonical
from ledger.domain.log.envelope import Appended
from ledger.store.append import Appender
from ledger.store.base import chain_after
from ledger.store.connect import open_connection
from ledger.store.postgres import PostgresStore
from tests.support.builders import an_event

T = TypeVar("T")
pytestmark = pytest.mark.timeout(120)


@contextmanager
def opened(dsn: str) -> Iterator[PostgresStore]:
    store = PostgresStore(dsn)
    try:
        yield store
    finally:
        store.close()


def together(count: int, work: Callable[[int], T]) -> list[T]:
    """Run ``work(0)`` … ``work(count - 1)`` at once; all start at the same moment."""
    barrier = threading.Barrier(count)

    def one(number: int) -> T:
        barrier.wait(30)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def assert_dense_and_chained(dsn: str) -> list[UUID]:
    """Return the log's ids in order, after making sure of I2 and I3."""
    with opened(dsn) as store:
        chain, ids, revisions = canonical.GENESIS, [], dict[str, int]()
        for position, event in enumerate(store.read(), start=1):
            assert event.position == position
            assert event.revision == revisions.get(event.stream, 0) + 1
            chain = chain_after(chain, event)
            assert event.chain == chain
            revisions[event.stream] = event.revision
            ids.append(event.event_id)
        return ids


def test_sixteen_writers(dsn: str) -> None:
    """I2: nothing is lost, nothing twice, each writer's events stand in the order it wrote them."""

    def write(number: int) -> list[tuple[UUID, Appended]]:
        chance = random.Random(number)
        done: list[tuple[UUID, Appended]] = []
        with opened(dsn) as store:
            for _ in range(25):
                batch = [
                    an_event(f"system:{chance.randrange(3)}")
                    for _ in range(chance.choice([1, 1, 2, 17]))
                ]
                answers = store.append(batch)
                done += zip((event.event_id for event in batch), answers, strict=True)
        return done

    results = together(16, write)
    ids = assert_dense_and_chained(dsn)
    assert len(ids) == sum(map(len, results)) == len(set(ids))
    for done in results:
        positions = [answer.position or 0 for _, answer in done]
        assert all(before < after for before, after in pairwise(positions))
        assert all(ids[(answer.position or 0) - 1] == event_id for event_id, answer in done)


def test_one_of_sixteen_conflicting_writers_wins_each_round(dsn: str) -> None:
    """A revision is given once: of all who expect the same one, exactly one is let in."""
    rounds = 12
    turn = threading.Barrier(16)

    def contend(number: int) -> list[str]:
        with opened(dsn) as store:
            answers = []
            for expected in range(rounds):
                turn.wait(30)
                batch = [an_event(expected=expected)]
                if number % 2:  # the set-based path must be as strict as the lone one
                    batch.append(an_event("elsewhere"))
                answers.append(store.append(batch)[0].outcome)
            return answers

    results = together(16, contend)
    for number in range(rounds):
        outcomes = [answers[number] for answers in results]
        assert outcomes.count("appended") == 1
        assert outcomes.count("conflict") == 15
    assert_dense_and_chained(dsn)


def test_the_same_event_sent_by_all_is_appended_once(dsn: str) -> None:
    """I4: a retry that overtakes its first attempt waits for it and finds what it did."""
    event = an_event()

    def send(number: int) -> Appended:
        with opened(dsn) as store:
            batch = [event] if number % 2 else [an_event(), event]
            return store.append(batch)[-1]

    answers = together(12, send)
    assert sorted(answer.outcome for answer in answers) == ["appended"] + ["duplicate"] * 11
    assert len({answer.position for answer in answers}) == 1
    assert assert_dense_and_chained(dsn).count(event.event_id) == 1


def test_a_reader_never_skips_what_commits_late(dsn: str) -> None:
    """I2: who has seen N has seen all before it, whatever writers do between append and commit."""
    stop = threading.Event()
    seen: list[UUID] = []

    def follow() -> None:
        with opened(dsn) as store:
            while not stop.is_set() or store.head().position > len(seen):
                # read() itself raises when a position is missing.
                seen.extend(event.event_id for event in store.read(len(seen)))

    def write(number: int) -> list[UUID]:
        chance = random.Random(number)
        committed: list[UUID] = []
        with open_connection(dsn) as connection:
            connection.prepare_threshold = (
                None  # else a ROLLBACK would forget the appender's statement
            )
            appender = Appender(connection)
            for _ in range(20):
                batch = [an_event(f"system:{number}") for _ in range(chance.randint(1, 3))]
                connection.execute("BEGIN")
                appender.append(batch)
                time.sleep(chance.choice([0, 0, 0.001, 0.01]))
                if chance.random() < 0.3:
                    connection.execute("ROLLBACK")
                else:
                    connection.execute("COMMIT")
                    committed += [event.event_id for event in batch]
        return committed

    reader = threading.Thread(target=follow)
    reader.start()
    results = together(8, write)
    stop.set()
    reader.join(60)
    ids = assert_dense_and_chained(dsn)
    assert seen == ids
    assert set(ids) == {event_id for done in results for event_id in done}


@pytest.mark.parametrize("appended_before", [0, 1, 2])
def test_a_server_that_says_nothing_is_given_up_on(dsn: str, appended_before: int) -> None:
    """I5: no time-out of the server's helps where that hangs; and nothing is asked a second time."""
    store = PostgresStore(dsn, answer_seconds=0.4)
    for _ in range(appended_before):  # an append is sent in another way each time
        store.append([an_event()])
    with closing(store), psycopg.connect(dsn) as stuck:
        stuck.execute("LOCK TABLE ledger.event IN ACCESS EXCLUSIVE MODE")
        for ask in (lambda: store.append([an_event()]), store.head):
            began = time.monotonic()
            with pytest.raises(LedgerUnreachable, match="said nothing for"):
                ask()
            assert time.monotonic() - began < 4
        stuck.rollback()
        assert store.head().position >= appended_before


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_an_older_snapshot_may_not_append(dsn: str, level: LiteralString) -> None:
    """I2: such a snapshot does not see the last event; its position would repeat."""
    with open_connection(dsn) as connection:
        appender = Appender(connection)
        connection.execute(f"BEGIN ISOLATION LEVEL {level}")
        with pytest.raises(psycopg.Error, match="READ COMMITTED") as refused:
            appender.append([an_event()])
        assert refused.value.sqlstate == "LR002"
        connection.execute("ROLLBACK")
    assert assert_dense_and_chained(dsn) == []


def test_a_database_whose_default_is_serializable_works(dsn: str) -> None:
    """An administrator's default for the database is not our users' problem."""
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(
            sql.SQL("ALTER DATABASE {} SET default_transaction_isolation = 'serializable'").format(
                sql.Identifier(admin.info.dbname)
            )
        )
    with opened(dsn) as store:
        assert store.append([an_event()])[0].position == 1


def test_a_long_open_snapshot_stops_nobody(dsn: str) -> None:
    """A dump or an audit that reads for hours neither blocks writers nor sees half of what they do."""
    with psycopg.connect(dsn) as auditor, opened(dsn) as store:
        store.append([an_event() for _ in range(5)])
        auditor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        count = "SELECT count(*), max(position) FROM ledger.event"
        assert auditor.execute(count).fetchone() == (5, 5)
        for _ in range(50):
            store.append([an_event()])
        assert store.head().position == 55
        assert auditor.execute(count).fetchone() == (5, 5)
    assert len(assert_dense_and_chained(dsn)) == 55


HOLDER = """
import sys, time
from ledger.store.append import Appender
from ledger.store.connect import open_connection
from tests.support.builders import an_event
connection = open_connection(sys.argv[1])
appender = Appender(connection)
connection.execute("BEGIN")
appender.append([an_event("lost")])
print("holding", flush=True)
time.sleep(60)
"""


@contextmanager
def holder_of_the_lock(dsn: str) -> Iterator[subprocess.Popen[str]]:
    """A client, as a process of its own, that has appended and not committed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, dsn], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_kill_9_of_a_client_that_holds_the_lock(dsn: str) -> None:
    """I12: its event is not in the log, its position goes to the next one, and nobody waits for long."""
    with opened(dsn) as store:
        store.append([an_event() for _ in range(3)])
        with holder_of_the_lock(dsn) as process:
            process.send_signal(signal.SIGKILL)
            process.wait()
            started = time.monotonic()
            answer = store.append([an_event("next")])[0]
            assert time.monotonic() - started < 5
        assert (answer.outcome, answer.position) == ("appended", 4)
        assert list(store.read_stream("lost")) == []
    assert len(assert_dense_and_chained(dsn)) == 4


def test_a_stuck_writer_is_told_about(dsn: str) -> None:
    """A client that holds the lock and hangs: others wait a bounded time and say what is wrong."""
    with opened(dsn) as store, holder_of_the_lock(dsn) as process:
        process.send_signal(signal.SIGSTOP)
        store.connection.execute("SET lock_timeout = '300ms'")
        with pytest.raises(LedgerUnreachable, match="held the log") as told:
            store.append([an_event()])
        assert "pg_stat_activity" in (told.value.hint or "")
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert store.append([an_event()])[0].position == 1


def test_a_backend_that_is_terminated_is_replaced(dsn: str) -> None:
    """An administrator, a restart, a failover: the store connects again and goes on."""
    with opened(dsn) as store, psycopg.connect(dsn, autocommit=True) as admin:
        assert store.append([an_event()])[0].position == 1
        kill = "SELECT pg_terminate_backend(%s)"
        admin.execute(kill, [store.connection.info.backend_pid])
        assert store.append([an_event()])[0].position == 2
        admin.execute(kill, [store.connection.info.backend_pid])
        assert store.head().position == 2


def test_prepared_statements_that_were_forgotten(dsn: str) -> None:
    """psycopg forgets them when a transaction is rolled back; the next append notices."""
    with opened(dsn) as store:
        for position in range(1, 5):
            assert store.append([an_event()])[0].position == position
        store.connection.execute("DEALLOCATE ALL")
        for position in range(5, 9):
            assert store.append([an_event()])[0].position == position


def test_an_error_of_the_database_is_one_sentence(dsn: str) -> None:
    """What the database refuses (here a NUL in a name) is neither retried nor a traceback."""
    with opened(dsn) as store:
        with pytest.raises(LedgerError, match="0x00"):
            store.append([an_event("a\x00b")])
        assert store.append([an_event()])[0].position == 1
