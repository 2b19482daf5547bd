"""The read models on real servers: rebuilt beside the live ones, swapped, verified, never in the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, timedelta
from functools import partial

import psycopg
import pytest
from psycopg import sql

from bench.generate import events as realistic_events
from ledger.domain.errors import IntegrityFailure, InvariantViolated, OperationInProgress
from ledger.store.connect import AUDITOR, PROJECTOR, WRITER, open_connection
from ledger.store.postgres import PostgresStore
from projections import checkpoint, fresh, mode_changes, timeline
from projections.config_changes import blame, history
from projections.configurations import list_configurations
from projections.incidents import export
from projections.operations import list_operations
from projections.registry import tables
from projections.runner import Projector
from projections.system_state import cached_state
from projections.verify import verify
from tests.support.builders import NOON
from tests.support.histories import FINGERPRINTS, happened
from tests.support.readmodel import contents, projector

REGISTERED = happened(
    "bot", "SystemRegistered", {"environment": "production", "description": "", "actuators": {}}
)


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
        monkeypatch.setattr(fresh, "WORTH_A_PROCESS", 1000)
        monkeypatch.setattr(fresh, "PART", 1500)
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
            assert cached_state(connection, "bot") is not None
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
    folded = fresh.fold

    def fold_and_append(*arguments: object) -> None:
        folded(*arguments)  # pyright: ignore[reportArgumentType] -- passed on as they came
        store.append([REGISTERED])

    monkeypatch.setattr(fresh, "fold", fold_and_append)
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
    change: str, says: str, embedded_dsn: str
) -> None:
    """I7: another version of the program, another log: never rows of the one beside rows of the other."""
    store, told = PostgresStore(embedded_dsn), list[str]()
    fill(store, 50)
    with projector(embedded_dsn, told.append) as made:
        made.catch_up()
        before = contents(made)
        made.db.execute(change)  # pyright: ignore[reportArgumentType] -- one of the texts above
        assert made.catch_up() == 50
        assert contents(made) == before
    assert len(told) == 1
    assert says in told[0]
    store.close()


def test_a_cached_state_of_another_version_or_log_is_none(embedded_dsn: str) -> None:
    """A head start on the way to a decision may be old, and must never be wrong."""
    store = PostgresStore(embedded_dsn)
    assert cached_state(store.connection, "bot") is None
    store.append([REGISTERED])
    with projector(embedded_dsn) as made:
        made.catch_up()
        state = cached_state(store.connection, "bot")
        assert state is not None
        assert state.revision == 1
        assert cached_state(store.connection, "nobody") is None
        made.db.execute("UPDATE readmodel.checkpoint SET chain = '\\x00'")
        assert cached_state(store.connection, "bot") is None
        made.rebuild()
        made.db.execute(
            "UPDATE readmodel.checkpoint SET version = 0 WHERE projection = 'system_state'"
        )
        assert cached_state(store.connection, "bot") is None
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


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"severity": "critical"}, r"alerts can't apply position 2 \(AlertFired\)"),
        (
            {"alert": "a", "severity": None, "message": "m"},
            "alerts can't write what positions 2 to 2 gave",
        ),
    ],
    ids=["a key is missing", "a value is missing"],
)
def test_an_event_that_can_t_be_applied_is_named_with_its_projection(
    data: dict[str, object], says: str, dsn: str, store: PostgresStore
) -> None:
    """Loudly, and once: the position, the type and who could not take it; the model stays where it was."""
    store.append([REGISTERED])
    with projector(dsn) as made:
        made.catch_up()
        store.append([happened("bot", "AlertFired", data)])
        with pytest.raises(InvariantViolated, match=says):
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


def applied(
    fingerprint: str, changes: list[dict[str, str]], **envelope: object
) -> dict[str, object]:
    return {
        "fingerprint": fingerprint,
        "snapshot": "1" * 64,
        "cause": "apply",
        "changes": changes,
        **envelope,
    }


def test_blame_names_who_set_each_present_value(embedded_dsn: str) -> None:
    """Down to one key; imported history that is older than what is in force takes no blame (I11, I13)."""
    store = PostgresStore(embedded_dsn)
    first, second, old = FINGERPRINTS
    ana = {"id": "ana@desk", "name": "ana", "kind": "human"}
    store.append(
        [
            REGISTERED,
            happened("bot", "ConfigApplied", applied(first, [
                {"key": "grid", "new": "3"},
                {"key": "risk.max", "new": "5"}, {"key": "risk.step", "new": "1"},
            ]), at=NOON, reason="first"),
            happened("bot", "FingerprintTagged", {"fingerprint": second, "tag": "v2"}),
            happened("bot", "ConfigApplied", applied(second, [
                {"key": "risk.max", "old": "5", "new": "7"}, {"key": "risk.step", "old": "1"},
            ], previous=first), at=NOON + timedelta(hours=1), actor=ana, reason="scale"),
            happened("bot", "ConfigApplied", applied(old, [{"key": "grid", "new": "1"}]),
                     at=NOON - timedelta(days=9), backfilled=True),
        ]
    )  # fmt: skip
    with projector(embedded_dsn) as made:
        made.catch_up()
        rows = blame(made.db, "bot")
        assert [
            (row["key"], row["value"], row["actor"], row["reason"], row["position"]) for row in rows
        ] == [
            ("grid", "3", "li.wei", "first", 2),
            ("risk.max", "7", "ana", "scale", 4),
        ]
        assert rows[1]["tags"] == ["v2"]
        assert [row["key"] for row in blame(made.db, "bot", "risk")] == ["risk.max"]
        assert [row["key"] for row in blame(made.db, "bot", "risk.ma")] == []
        assert [
            (row["position"], row["old"], row["new"], row["late"])
            for row in history(made.db, "bot", "grid")
        ] == [
            (5, None, "1", True),
            (2, None, "3", False),
        ]
        listed = list_configurations(made.db, "bot")
        assert [(row["number"], row["fingerprint"], row["standing"]) for row in listed] == [
            (1, first, []),
            (2, second, ["in force"]),
            (3, old, []),
        ]
    store.close()


def test_intervals_of_modes_have_no_gap_and_late_history_in_its_place(embedded_dsn: str) -> None:
    """I13: what is told late stands where it happened, and is not taken for the present."""
    store = PostgresStore(embedded_dsn)

    def switched(to: str, hours: int, **envelope: object) -> object:
        data = {"from_mode": "mock", "to_mode": to, "carried_by": "control_file", "took_ms": 1}
        return happened("bot", "ModeSwitched", data, at=NOON + timedelta(hours=hours), **envelope)

    store.append(
        [REGISTERED, switched("mock", 0), switched("real", 5), switched("paused", 3, spooled=True)]
    )  # type: ignore[list-item] -- events all
    with projector(embedded_dsn) as made:
        made.catch_up()
        rows = mode_changes.intervals(made.db, "bot")
        assert [(row["mode"], row["since"].astimezone(UTC).hour, row["late"]) for row in rows] == [
            ("mock", 12, False),
            ("paused", 15, True),
            ("real", 17, False),
        ]
        assert [row["until"] for row in rows] == [rows[1]["since"], rows[2]["since"], None]
        present = mode_changes.present(made.db, "bot")
        assert present is not None
        assert present["mode"] == "real"
    store.close()


def test_an_operation_is_told_from_intent_to_outcome(embedded_dsn: str) -> None:
    """I12: intent, steps, outcome, and how long it took; one in flight is found."""
    store = PostgresStore(embedded_dsn)
    one, two = "00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000002"
    intent = {
        "to_fingerprint": FINGERPRINTS[0],
        "snapshot": "1" * 64,
        "selector": "--last-stable",
        "files": [],
    }
    step = {"step": 1, "name": "config.yaml", "path": "/srv/config.yaml", "outcome": "written"}
    soon = NOON + timedelta(milliseconds=1500)
    store.append(
        [
            REGISTERED,
            happened("bot", "RollbackRequested", intent, operation=one, reason="rejects"),
            happened("bot", "RollbackStepCompleted", step, operation=one),
            happened(
                "bot",
                "ConfigApplied",
                applied(FINGERPRINTS[0], []) | {"cause": "rollback"},
                operation=one,
            ),
            happened(
                "bot",
                "RollbackCompleted",
                {"to_fingerprint": FINGERPRINTS[0]},
                operation=one,
                at=soon,
            ),
            happened("bot", "RollbackRequested", intent, operation=two),
        ]
    )
    with projector(embedded_dsn) as made:
        made.catch_up()
        done, open_ = list_operations(made.db, "bot")
        assert (done["outcome"], done["took_ms"], done["reason"]) == ("completed", 1500, "rejects")
        assert [each["name"] for each in done["steps"]] == ["config.yaml"]
        assert (open_["outcome"], open_["operation"]) == ("in flight", two)
        assert [row["operation"] for row in list_operations(made.db, in_flight=True)] == [two]
    store.close()


def test_the_timeline_is_filtered_by_who_what_when_and_key(embedded_dsn: str) -> None:
    """Every filter alone, and what it lets through."""
    store = PostgresStore(embedded_dsn)
    ana = {"id": "ana@desk", "name": "Ana", "kind": "human"}
    change = [{"key": "risk.max", "old": "5", "new": "7"}]
    store.append(
        [
            REGISTERED,
            happened(
                "other", "AlertFired", {"alert": "a", "severity": "info", "message": "100 % full"}
            ),
            happened(
                "bot",
                "ConfigApplied",
                applied(FINGERPRINTS[0], change),
                actor=ana,
                at=NOON + timedelta(hours=1),
            ),
            happened(
                "bot",
                "AlertResolved",
                {"alert": "a", "how": "manual"},
                reason="100_ fine",
                at=NOON + timedelta(hours=2),
            ),
        ]
    )
    with projector(embedded_dsn) as made:
        made.catch_up()

        def found(**wanted: object) -> list[int]:
            rows = timeline.select(made.db, timeline.Filter(**wanted))  # type: ignore[arg-type] -- each test its own
            return [row["position"] for row in rows]

        assert found() == [1, 2, 3, 4]
        assert found(system="other") == [2]
        assert found(actor="ana") == found(actor="ana@desk") == [3]
        assert found(type="alert*") == [2, 4]
        assert found(type="Alert") == []
        assert found(key="risk") == found(key="risk.max") == [3]
        assert found(key="ris") == []
        assert found(fingerprint="aaaa") == [3, 4]
        assert found(text="100 %") == [2]
        assert found(text="100_") == [4]
        assert found(since=NOON + timedelta(hours=1)) == [3, 4]
        assert found(until=NOON) == [1, 2]
        assert found(after=2) == [3, 4]
        newest = timeline.select(made.db, timeline.Filter(), limit=2)
        assert [row["position"] for row in newest] == [3, 4]
    store.close()


def test_a_connection_can_be_sent_to_another_process() -> None:
    """The second process of a rebuild opens its own connection, by what it was sent."""
    import pickle

    connect = partial(open_connection, "host=/nowhere", role=PROJECTOR)
    assert pickle.loads(pickle.dumps(connect)).keywords == {"role": PROJECTOR}
