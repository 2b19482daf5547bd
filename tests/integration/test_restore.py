"""Putting events back as they were recorded: the database takes what follows, and nothing else (I1, I3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from ledger.domain.errors import IntegrityFailure, LedgerUnreachable, Refused, RightMissing
from ledger.domain.log import canonical
from ledger.domain.log.envelope import Recorded
from ledger.domain.log.ids import uuid7
from ledger.store import restore
from ledger.store.base import chain_after
from ledger.store.connect import AUDITOR, PROJECTOR, WRITER, open_connection
from ledger.store.postgres import PostgresStore
from ledger.store.restore import Restorer
from ledger.store.verify import verify
from tests.support.builders import an_event
from tests.support.commands import Rollout
from tests.support.logs import assert_sound
from tests.support.postgres import PostgresServer

COUNT = 60


@pytest.fixture
def original(dsn: str) -> list[Recorded]:
    """Events of three streams, as a log holds them."""
    store = PostgresStore(dsn)
    for number in range(COUNT):
        store.append([an_event(f"system:{'abc'[number % 3]}", note=f"Grüße {number}\0")])
    found = list(store.read())
    store.close()
    return found


@pytest.fixture
def target(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty ledger on the same server."""
    with postgres_server.fresh_ledger() as conninfo:
        yield conninfo


def events_in(dsn: str) -> list[Recorded]:
    store = PostgresStore(dsn)
    found = list(store.read())
    store.close()
    return found


def begun(dsn: str, log: Sequence[Recorded]) -> Restorer:
    restorer = Restorer(dsn)
    restorer.begin(log[-1].position, log[-1].chain)
    return restorer


def test_a_restored_log_is_the_log(original: list[Recorded], target: str) -> None:
    """I3: positions, times, bytes and hashes are those of the original; the next event goes on with them."""
    with closing(begun(target, original)) as restorer:
        assert [restorer.put(original[at : at + 7]) for at in range(0, COUNT, 7)][-1] == COUNT
        assert restorer.begin(COUNT, original[-1].chain) == COUNT
    assert events_in(target) == original
    assert verify(target).problem is None
    store = PostgresStore(target)
    (answer,) = store.append([an_event("system:a", expected=COUNT // 3)])
    assert (answer.outcome, answer.position) == ("appended", COUNT + 1)
    assert_sound(store)
    store.close()


def test_a_restore_goes_on_where_it_was(
    original: list[Recorded], target: str, tmp_path: Path
) -> None:
    """I12, I3: each batch is there as a whole; another process asks how far it is, and goes on."""
    with closing(begun(target, original)) as restorer:
        restorer.put(original[:20])
    told = Rollout(tmp_path, target)("verify")
    assert "Positions 1 to 20 are as they were recorded" in told.out
    assert "This is half a restore: positions 21 to 60 are still to come." in told.err
    with closing(Restorer(target)) as restorer:
        assert restorer.begin(COUNT, original[-1].chain) == 20
        assert restorer.put(original[20:]) == COUNT
    assert events_in(target) == original
    assert "half a restore" not in Rollout(tmp_path, target)("verify").err


def test_a_server_that_goes_away_in_a_restore(original: list[Recorded], target: str) -> None:
    """I12: a full disk brings a server down; that is told as what it is, and the rest is put in later."""
    with closing(begun(target, original)) as restorer:
        restorer.put(original[:20])
        with psycopg.connect(target, autocommit=True) as other:
            others = "datname = current_database() AND pid <> pg_backend_pid()"
            other.execute(
                f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE {others}"
            )
        with pytest.raises(LedgerUnreachable, match="Postgres went away") as told:
            restorer.put(original[20:])
    assert "it goes on where it was" in str(told.value.hint)
    with closing(begun(target, original)) as restorer:
        assert restorer.put(original[20:]) == COUNT
    assert events_in(target) == original


def test_a_ledger_that_is_not_empty_is_left_alone(original: list[Recorded], target: str) -> None:
    """I1: what was recorded is never mixed with another log."""
    store = PostgresStore(target)
    store.append([an_event()])
    with closing(Restorer(target)) as restorer, pytest.raises(Refused, match="it has 1 events"):
        restorer.begin(COUNT, original[-1].chain)
    with (
        closing(Restorer(target)) as restorer,
        pytest.raises(Refused, match="no restore is under way"),
    ):
        restorer.put(original)
    assert store.head().position == 1
    store.close()


def test_one_restore_at_a_time(original: list[Recorded], target: str) -> None:
    """I1: two logs can't be restored into one ledger, nor more of one than was announced."""
    with closing(begun(target, original[:30])) as restorer:
        with pytest.raises(Refused, match="another log, up to position 30"):
            restorer.begin(COUNT, original[-1].chain)
        with pytest.raises(Refused, match="ends at position 30"):
            restorer.put(original[:31])
        assert restorer.put(original[:30]) == 30
    assert events_in(target) == original[:30]


def test_nothing_is_appended_while_a_restore_is_under_way(
    original: list[Recorded], target: str
) -> None:
    """I3: an event in between would take the place of a recorded one."""
    with closing(begun(target, original)) as restorer:
        store = PostgresStore(target)
        for batch in ([an_event()], [an_event(), an_event()]):
            with pytest.raises(LedgerUnreachable, match="restore into this ledger is under way"):
                store.append(batch)
        restorer.put(original[:20])
        with pytest.raises(LedgerUnreachable, match="under way"):
            store.append([an_event()])
        restorer.put(original[20:])
        assert store.append([an_event()])[0].position == COUNT + 1
        store.close()


def forged(event: Recorded, before: bytes, **changes: object) -> Recorded:
    """Return ``event`` changed, with a chain value that follows all the same."""
    changed = replace(event, **changes)  # type: ignore[arg-type] -- of the fields' own types
    changed = replace(changed, body_hash=canonical.body_hash(changed.body))
    return replace(changed, chain=chain_after(before, changed))


def test_nothing_forged_enters(original: list[Recorded], target: str) -> None:
    """I3: another body, time, order, stream, id; one event less; a hash that was computed anew."""
    tenth = original[9]
    spoilt: dict[str, Recorded] = {
        "body": replace(tenth, body=tenth.body + b" "),
        "occurred": replace(tenth, occurred_at=tenth.occurred_at + timedelta(microseconds=1)),
        "recorded": replace(tenth, recorded_at=tenth.recorded_at + timedelta(microseconds=1)),
        "stream": replace(tenth, stream="system:other"),
        "type": replace(tenth, type="Other"),
        "id": replace(tenth, event_id=uuid7()),
        "schema": replace(tenth, schema_version=2),
        "chain": replace(tenth, chain=bytes(32)),
        "revision": forged(tenth, original[8].chain, revision=tenth.revision + 1),
        "back in time": forged(
            tenth, original[8].chain, recorded_at=original[8].recorded_at - timedelta(days=1)
        ),
    }
    end = "SELECT max(position) FROM ledger.event"
    with (
        closing(begun(target, original)) as restorer,
        psycopg.connect(target, autocommit=True) as reader,
    ):
        restorer.put(original[:5])
        for name, event in spoilt.items():
            with pytest.raises(IntegrityFailure, match="position 10 "):
                restorer.put([*original[5:9], event, *original[10:]])
            assert reader.execute(end).fetchone() == (5,), name
        for batch in (original[6:], original[4:-1], [original[6], original[5], *original[7:]]):
            with pytest.raises(IntegrityFailure):
                restorer.put(batch)
        # A last event that follows, and is not the one that was announced.
        other = forged(original[-1], original[-2].chain, body=b"{}")
        with pytest.raises(IntegrityFailure, match="announced"):
            restorer.put([*original[5:-1], other])
        assert restorer.put(original[5:]) == COUNT
    assert events_in(target) == original


FUNCTIONS: tuple[LiteralString, ...] = ("ledger.begin_restore", "ledger.restore")
GUARDS: tuple[LiteralString, ...] = (
    "INSERT INTO ledger.restoring (position, chain) VALUES (1, sha256(''))",
    "DELETE FROM ledger.restoring",
    "ALTER TABLE ledger.event DISABLE TRIGGER event_restoring",
)


@pytest.mark.parametrize("granted", [False, True], ids=["", "granted"])
@pytest.mark.parametrize("role", [WRITER, AUDITOR, PROJECTOR])
def test_only_the_owner_restores(
    original: list[Recorded], target: str, monkeypatch: pytest.MonkeyPatch, role: str, granted: bool
) -> None:
    """I1: a grant of EXECUTE gives nobody anything, since the functions have no rights of their own."""
    with psycopg.connect(target, autocommit=True) as admin:
        for name in FUNCTIONS if granted else ():
            grant = sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}")
            admin.execute(grant.format(sql.SQL(name), sql.Identifier(role)))
    monkeypatch.setattr(restore, "OWNER", role)
    with closing(Restorer(target)) as another, pytest.raises(RightMissing) as told:
        another.begin(COUNT, original[-1].chain)
    assert "GRANT ledger_owner" in (told.value.hint or "")
    monkeypatch.undo()
    begun(target, original).close()
    monkeypatch.setattr(restore, "OWNER", role)
    with closing(Restorer(target)) as another, pytest.raises(RightMissing):
        another.put(original)
    with open_connection(target, role=role) as connection:
        for statement in GUARDS:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
    assert events_in(target) == []
