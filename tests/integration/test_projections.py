"""The read models on real servers: rebuilt beside the live ones, swapped, verified, never in the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql

from bench.generate import events as realistic_events
from ledger.domain.errors import IntegrityFailure, InvariantViolated, OperationInProgress
from ledger.domain.state import decode
from ledger.store.connect import AUDITOR, PROJECTOR, WRITER, open_connection
from ledger.store.postgres import PostgresStore
from projections.engine import checkpoint, rebuild, runner
from projections.engine.runner import Projector
from projections.engine.verify import verify
from projections.models.incidents import export
from projections.models.registry import tables
from tests.support.histories import REGISTERED, happened
from tests.support.readmodel import contents, projector

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(dsn: str) -> Iterator[PostgresStore]:
    """The store of a fresh ledger, on each server."""
    made = PostgresStore(dsn)
    yield made
    made.close()


def fill(store: PostgresStore, count: int, *, systems: int = 5) -> None:
    store.append(list(realistic_events(count, systems=systems)))


def test_dropped_read_models_come_back_the_same(dsn: str, store: PostgresStore) -> None:
    """I7: drop them all, and the next command has the same rows, and incidents.json to the byte."""
    fill(store, 2000)
    with projector(dsn) as made:
        assert made.catch_up() == 2000
        before, document = contents(made), export(made.db)
        assert b'"incidents"' in document
        assert b'"metrics_before_after"' in document
        made.db.execute("DROP SCHEMA readmodel CASCADE")
        assert made.catch_up() == 2000
        assert contents(made) == before
        assert export(made.db) == document


def test_two_processes_make_of_it_what_one_does(
    embedded_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I7: how a rebuild shares the work out can't be seen in what it gives."""
    store = PostgresStore(embedded_dsn)
    fill(store, 4000, systems=7)
    store.close()
    with projector(embedded_dsn) as made:
        made.rebuild()
        alone = contents(made)
        monkeypatch.setattr(rebuild, "WORTH_A_PROCESS", 1000)
        monkeypatch.setattr(rebuild, "PART", 1500)
        made.rebuild()
        assert contents(made) == alone
        assert verify(made).differences == []


def test_others_may_read_after_a_swap_and_not_write(dsn: str, store: PostgresStore) -> None:
    """I1 for the read side: the new schema is granted as the old one was, to readers only."""
    store.append([REGISTERED])
    with projector(dsn) as made:
        made.rebuild()
        made.rebuild()
    for role in (WRITER, AUDITOR):
        with open_connection(dsn, role=role) as connection:
            for _, table in tables():
                name = sql.Identifier("readmodel", table)
                connection.execute(sql.SQL("SELECT count(*) FROM {}").format(name))
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(sql.SQL("DELETE FROM {}").format(name))


def test_readers_never_find_the_model_missing_or_behind(dsn: str, store: PostgresStore) -> None:
    """I7: a rebuild never takes the live model away until the new one has caught up."""
    fill(store, 1500)
    done, problems = threading.Event(), list[str]()
    with projector(dsn) as made:
        made.catch_up()
        expected = len(contents(made)["timeline"])

        def read() -> None:
            with open_connection(dsn, role=AUDITOR) as connection:
                while not done.is_set():
                    try:
                        row = connection.execute(
                            "SELECT count(*) FROM readmodel.timeline"
                        ).fetchone()
                    except psycopg.Error as error:
                        problems.append(str(error))
                        return
                    if row is None or row[0] != expected:
                        problems.append(f"saw {row}")

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        for _ in range(3):
            made.rebuild()
        done.set()
        for reader in readers:
            reader.join()
    assert problems == []


def test_what_is_appended_during_a_rebuild_is_in_it(
    dsn: str, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I7: the new model catches up before it takes the old one's place."""
    fill(store, 600)
    folded = rebuild.fold

    def fold_and_append(*arguments: object) -> None:
        folded(*arguments)  # pyright: ignore[reportArgumentType] -- passed on as they came
        store.append([REGISTERED])

    monkeypatch.setattr(rebuild, "fold", fold_and_append)
    with projector(dsn) as made:
        assert made.rebuild() == 601
        assert verify_finds_nothing(made)


def verify_finds_nothing(made: Projector) -> bool:
    return not verify(made).differences


def test_verify_names_the_table_and_the_rows(dsn: str, store: PostgresStore) -> None:
    """I7: a read model that somebody wrote to is found out, by a fold beside it that leaves nothing."""
    fill(store, 400)
    with projector(dsn) as made:
        assert verify_finds_nothing(made)
        made.db.execute("UPDATE readmodel.timeline SET reason = 'another' WHERE position = 3")
        made.db.execute("DELETE FROM readmodel.config_change WHERE position = (SELECT min(position) FROM "
                        "readmodel.config_change) AND key = 'grid.cap'")  # fmt: skip
        found = {each.table: each for each in verify(made).differences}
        assert set(found) == {"timeline", "config_change"}
        assert [row["reason"] for row in found["timeline"].only_live] == ["another"]
        assert [row["position"] for row in found["timeline"].only_fresh] == [3]
        assert found["config_change"].only_live == []
        assert [row["key"] for row in found["config_change"].only_fresh] == ["grid.cap"]
        assert schemas(made) == ["readmodel"]


def schemas(made: Projector) -> list[str]:
    query = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'readmodel%%' ORDER BY 1"
    return [row[0] for row in made.db.execute(query)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            "UPDATE readmodel.checkpoint SET version = 0 WHERE projection = 'alerts'",
            "alerts is of version 1",
        ),
        ("DELETE FROM readmodel.checkpoint WHERE projection = 'timeline'", "timeline is new"),
        (
            "INSERT INTO readmodel.checkpoint VALUES ('former', 1, 50, NULL)",
            "no projection former any more",
        ),
        (
            "UPDATE readmodel.checkpoint SET chain = '\\x00'",
            "log is not the one that it was built from",
        ),
        (
            "UPDATE readmodel.checkpoint SET position = 40 WHERE projection = 'alerts'",
            "not at one position",
        ),
    ],
)
def test_a_model_that_does_not_fit_is_built_anew_and_that_is_told(
    change: LiteralString, says: str, embedded_dsn: str
) -> None:
    """I7: another version of the program, another log: never rows of the one beside rows of the other."""
    store, told = PostgresStore(embedded_dsn), list[str]()
    fill(store, 50)
    with projector(embedded_dsn, told.append) as made:
        made.catch_up()
        before = contents(made)
        made.db.execute(change)
        assert made.catch_up() == 50
        assert contents(made) == before
    assert len(told) == 1
    assert says in told[0]
    store.close()


def test_a_model_that_is_far_behind_is_built_anew(
    embedded_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Part by part, a first look at a long log would take minutes."""
    monkeypatch.setattr(runner, "ANEW_FROM", 100)
    store, told = PostgresStore(embedded_dsn), list[str]()
    log = list(realistic_events(400, systems=5))
    store.append(log[:50])
    with projector(embedded_dsn, told.append) as made:
        made.catch_up()
        store.append(log[50:])
        assert made.catch_up() == 400
        assert verify_finds_nothing(made)
    assert told == [
        "The read model is built anew, because it is 350 events behind, and that is faster."
    ]
    store.close()


def test_a_hole_in_the_log_stops_it_and_is_named(dsn: str, store: PostgresStore) -> None:
    """I2: a missing position is corruption, never "wait"; nothing of the part is kept."""
    fill(store, 30)
    with projector(dsn) as made:
        made.catch_up()
    fill_more = list(realistic_events(40, systems=5))[30:]
    store.append(fill_more)
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("ALTER TABLE ledger.event DISABLE TRIGGER ALL")
        owner.execute("DELETE FROM ledger.event WHERE position = 37")
    with projector(dsn) as made:
        for attempt in (made.catch_up, made.rebuild):
            with pytest.raises(IntegrityFailure, match="Position 37 is missing"):
                attempt()
        assert checkpoint.standing(made.db).position == 30
        assert schemas(made) in (["readmodel"], ["readmodel", "readmodel_next"])


UNREADABLE: dict[str, dict[str, Any]] = {
    "no JSON": {"body": b"oops"},
    "no data": {"body": b"{}"},
    "data are a list": {"body": b'{"actor":{"id":"a","kind":"human","name":"a"},"channel":"cli","data":[]}'},
    "a newer version": {"schema_version": 99},
    "a key is missing": {"body": happened("bot", "AlertFired", {"severity": "critical"}).body},
}  # fmt: skip


@pytest.mark.parametrize("event", UNREADABLE.values(), ids=UNREADABLE)
def test_an_event_that_can_t_be_read_is_set_aside(
    event: dict[str, Any], dsn: str, store: PostgresStore
) -> None:
    """I33, I7: whoever may append may append anything; it is shown as such, and the models go on."""
    data = {"alert": "a", "severity": "critical", "message": "m"}
    fired = replace(happened("bot", "AlertFired", data), **event)
    with projector(dsn) as made:
        store.append([REGISTERED, fired, happened("bot", "DriftCleared", {"subject": "mode"})])
        made.catch_up()
        assert checkpoint.standing(made.db).position == 3
        rows = made.db.execute("SELECT position, sentence FROM readmodel.timeline").fetchall()
        assert "recorded AlertFired, which can't be read" in dict(rows)[2]
        row = made.db.execute("SELECT state FROM readmodel.system_state").fetchone()
        assert row is not None
        assert decode(row[0]).unread.keys() == {"2"}
        assert made.db.execute("SELECT count(*) FROM readmodel.alert").fetchone() == (0,)
        assert verify_finds_nothing(made)


def test_what_can_t_be_written_is_named_with_its_projection(dsn: str, store: PostgresStore) -> None:
    """Loudly, and once: the positions and who could not take them; the model stays where it was."""
    store.append([REGISTERED])
    with projector(dsn) as made:
        made.catch_up()
        data = {"alert": "a", "severity": None, "message": "m"}
        store.append([happened("bot", "AlertFired", data)])
        with pytest.raises(
            InvariantViolated, match="alerts can't write what positions 2 to 2 gave"
        ):
            made.catch_up()
        assert checkpoint.standing(made.db).position == 1


def test_a_projector_that_is_at_work_is_waited_for_and_then_told_of(embedded_dsn: str) -> None:
    """Two at once: the second waits, within bounds, and never applies a part twice."""
    store = PostgresStore(embedded_dsn)
    fill(store, 20)
    with projector(embedded_dsn) as made, open_connection(embedded_dsn, role=PROJECTOR) as other:
        made.catch_up()
        other.execute("SELECT pg_advisory_lock(%s)", (checkpoint.CATCH_UP_LOCK,))
        store.append([REGISTERED])
        made.db.execute("SET lock_timeout = '200ms'")
        with pytest.raises(OperationInProgress, match="catching up"):
            made.catch_up()
        other.execute("SELECT pg_advisory_unlock(%s)", (checkpoint.CATCH_UP_LOCK,))
        assert made.catch_up() == 21
    store.close()


def test_many_that_catch_up_at_once_apply_everything_once(embedded_dsn: str) -> None:
    """The checkpoint moves in the transaction of the rows: eight at once give what one gives."""
    store = PostgresStore(embedded_dsn)
    fill(store, 300)

    def catch_up() -> None:
        with projector(embedded_dsn) as made:
            made.catch_up()

    workers = [threading.Thread(target=catch_up) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with projector(embedded_dsn) as made:
        assert verify_finds_nothing(made)
    store.close()


def test_a_connection_can_be_sent_to_another_process() -> None:
    """The second process of a rebuild opens its own connection, by what it was sent."""
    import pickle

    connect = partial(open_connection, "host=/nowhere", role=PROJECTOR)
    assert pickle.loads(pickle.dumps(connect)).keywords == {"role": PROJECTOR}
