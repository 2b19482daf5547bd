"""Whatever is done to the log, `verify` names the first bad position and what is wrong there (I3)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString

import pytest
from psycopg import sql

from ledger.domain.errors import BadInput, LedgerUnreachable, SchemaMissing
from ledger.store import checkpoint as checkpoints, verify as verification
from ledger.store.checkpoint import Checkpoint
from ledger.store.postgres import PostgresStore
from ledger.store.verify import ENGINES, verify
from tests.support.builders import an_event
from tests.support.fakes import FrozenClock
from tests.support.postgres import PostgresServer
from tests.support.tampering import rewrite, tamper, unguarded

COUNT = 60
VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors/chain.json").read_bytes()
)


@pytest.fixture(params=[*ENGINES])
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine that reads the log itself."""
    return str(request.param)


@pytest.fixture(scope="module")
def sixty(postgres_server: PostgresServer) -> Iterator[str]:
    """A log of sixty events of three streams, as they were appended, and a copy of it in ``public.kept``."""
    with postgres_server.fresh_ledger() as dsn:
        store = PostgresStore(dsn)
        created = an_event("ledger", type_="LedgerCreated", ledger_id="mine", program_version="1")
        store.append([created])
        for number in range(1, COUNT):
            store.append([an_event(f"system:{number % 3}", note=str(number))])
        store.close()
        tamper(dsn, "CREATE TABLE public.kept AS SELECT * FROM ledger.event")
        yield dsn


@pytest.fixture(params=["one stretch", "two stretches"])
def log(
    request: pytest.FixtureRequest, sixty: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The log of sixty, put back afterwards; as a short log is verified, and as a long one is."""
    if request.param == "two stretches":
        monkeypatch.setattr(verification, "WORTH_A_PROCESS", 10)
    yield sixty
    put_back(sixty)


def put_back(dsn: str) -> None:
    """Make the log of sixty what it was."""
    tamper(dsn, "TRUNCATE ledger.event", "INSERT INTO ledger.event SELECT * FROM public.kept")


def found(dsn: str, engine: str, **options: Any) -> tuple[int, str] | None:
    problem = verify(dsn, engine=ENGINES[engine], **options).problem
    return (problem.position, problem.kind) if problem else None


def checkpoint_of(dsn: str) -> Checkpoint:
    store = PostgresStore(dsn)
    try:
        return checkpoints.take(store, FrozenClock())
    finally:
        store.close()


def test_a_sound_log(log: str, engine: str) -> None:
    """Nothing to find, and the chain value to keep."""
    told: list[tuple[int, int]] = []
    report = verify(log, engine=ENGINES[engine], tell=lambda *counts: told.append(counts))
    assert report.problem is None
    assert (report.first, report.last, report.events) == (1, COUNT, COUNT)
    assert report.chain == checkpoint_of(log).chain
    assert all(0 < count <= total == COUNT for count, total in told)


def test_an_empty_log(dsn: str, engine: str) -> None:
    """Nothing is sound."""
    report = verify(dsn, engine=ENGINES[engine])
    assert (report.problem, report.events, report.chain) == (None, 0, bytes(32))


def test_a_log_of_one(dsn: str, engine: str) -> None:
    """The first event follows from nothing."""
    store = PostgresStore(dsn)
    store.append([an_event()])
    store.close()
    assert found(dsn, engine) is None
    tamper(dsn, "UPDATE ledger.event SET body = body || ' '")
    assert found(dsn, engine) == (1, "body")


CHANGES: dict[str, tuple[LiteralString, str]] = {
    "body": ("body = overlay(body PLACING 'X' FROM 20)", "body"),
    "body, longer": ("body = body || ' '", "body"),
    "body, gone": ("body = ''", "body"),
    "body hash": ("body_hash = sha256('x')", "body"),
    "body and its hash": ("body = '{}', body_hash = sha256('{}')", "columns"),
    "stream": ("stream = 'system:9'", "columns"),
    "type": ("type = 'IncidentClosed'", "columns"),
    "stream and type, one byte over": (
        "stream = stream || left(type, 1), type = substr(type, 2)",
        "columns",
    ),
    "schema version": ("schema_version = 2", "columns"),
    "event id": ("event_id = gen_random_uuid()", "columns"),
    "occurred at": ("occurred_at = occurred_at + interval '1 microsecond'", "columns"),
    "recorded at": ("recorded_at = recorded_at - interval '1 microsecond'", "columns"),
    "a time that no clock shows": ("occurred_at = 'infinity'", "columns"),
    "a time before Christ": ("occurred_at = '0044-03-15 12:00 BC'", "columns"),
    "revision": ("revision = 999", "columns"),
    "chain": ("chain = sha256('x')", "chain"),
    "chain, a byte more": ("chain = chain || 'x'", "chain"),
    "chain, a byte less": ("chain = substr(chain, 1, 31)", "chain"),
    "format": ("format = 2", "format"),
}


@pytest.mark.parametrize("position", [1, 30, 31, COUNT])
def test_a_changed_byte_in_any_column(log: str, engine: str, position: int) -> None:
    """I3: whatever column it is in, it is found where it is."""
    for name, (change, kind) in CHANGES.items():
        with unguarded(log) as connection:
            connection.execute(f"UPDATE ledger.event SET {change} WHERE position = %s", [position])
        # The hash of the last event has no successor that would tell it from what it stands for.
        expected = "columns" if kind == "chain" and position == COUNT else kind
        assert found(log, engine) == (position, expected), name
        put_back(log)
    assert found(log, engine) is None


@pytest.mark.parametrize("position", [1, 2, 30, 31, 59])
def test_a_missing_row(log: str, engine: str, position: int) -> None:
    """I2: a hole is corruption, never "wait"."""
    with unguarded(log) as connection:
        connection.execute("DELETE FROM ledger.event WHERE position = %s", [position])
    assert found(log, engine) == (position, "missing")


def test_many_missing_rows(log: str, engine: str) -> None:
    """The first of them is named."""
    tamper(log, "DELETE FROM ledger.event WHERE position BETWEEN 20 AND 45")
    assert found(log, engine) == (20, "missing")


def test_closing_the_gap_does_not_hide_it(log: str, engine: str) -> None:
    """I3: a position is in the hash, so that what follows can't be moved up."""
    tamper(
        log,
        "DELETE FROM ledger.event WHERE position = 20",
        "UPDATE ledger.event SET position = -position WHERE position > 20",
        "UPDATE ledger.event SET position = -position - 1 WHERE position < 0",
    )
    assert found(log, engine) == (20, "columns")


@pytest.mark.parametrize(("one", "two"), [(10, 11), (10, 50), (1, 60), (30, 31)])
@pytest.mark.parametrize("how", ["rows", "contents"])
def test_two_rows_swapped(log: str, engine: str, one: int, two: int, how: str) -> None:
    """I3: each is sound in itself, and stands where the other belongs."""
    with unguarded(log) as connection:
        move = "UPDATE ledger.event SET position = %s WHERE position = %s"
        for to, from_ in ((-1, one), (one, two), (two, -1)):
            connection.execute(move, [to, from_])
        if how == "contents":
            connection.execute(
                "UPDATE ledger.event AS e SET chain = o.chain FROM ledger.event AS o "
                "WHERE (e.position, o.position) IN ((%s, %s), (%s, %s))",
                [one, two, two, one],
            )
    assert found(log, engine) == (one, "swapped")


def test_an_event_put_in_by_another_way(log: str, engine: str) -> None:
    """I1, I3: a row that ledger.append did not write does not follow from the one before."""
    tamper(
        log,
        "INSERT INTO ledger.event SELECT format, 61, 99, schema_version, gen_random_uuid(), occurred_at, "
        "recorded_at, body_hash, stream, type, chain, body FROM ledger.event WHERE position = 60",
    )
    assert found(log, engine) == (61, "columns")


def test_a_revision_that_does_not_follow(log: str, engine: str) -> None:
    """A chain that was computed over wrong revisions is a chain; the revisions still don't follow."""
    rewrite(log, 40, "UPDATE ledger.event SET revision = revision + 100 WHERE position = 40")
    assert found(log, engine) == (40, "revision")
    assert found(log, engine, first=35) == (40, "revision")
    assert found(log, engine, first=40) == (40, "revision")
    position, kind = found(log, engine, first=41) or (0, "")
    assert kind == "revision"
    assert position == 43  # the next one of that stream


def test_rows_that_no_constraint_would_allow(dsn: str, engine: str) -> None:
    """A superuser can drop constraints too: what is then possible is found, and is no crash."""
    store = PostgresStore(dsn)
    store.append([an_event() for _ in range(5)])
    store.close()
    columns = (
        "format", "revision", "schema_version", "event_id", "occurred_at", "recorded_at",
        "body_hash", "stream", "type", "chain", "body",
    )  # fmt: skip
    with unguarded(dsn) as connection:
        connection.execute("CREATE TABLE public.kept AS SELECT * FROM ledger.event")
        for column in columns:
            name = sql.Identifier(column)
            connection.execute(
                sql.SQL(
                    "ALTER TABLE ledger.event ALTER COLUMN {} DROP NOT NULL;"
                    "UPDATE ledger.event SET {} = NULL WHERE position = 3"
                ).format(name, name)
            )
            position, _ = found(dsn, engine) or (0, "")
            assert position == 3, column
            connection.execute("TRUNCATE ledger.event")
            connection.execute("INSERT INTO ledger.event SELECT * FROM public.kept")


def test_a_position_that_stands_twice(dsn: str, engine: str) -> None:
    """Without the primary key a position may stand twice; the second one is too many."""
    store = PostgresStore(dsn)
    store.append([an_event() for _ in range(5)])
    store.close()
    tamper(
        dsn,
        "ALTER TABLE ledger.event DROP CONSTRAINT event_pk, DROP CONSTRAINT event_id_uq, "
        "DROP CONSTRAINT event_stream_revision_uq",
        "INSERT INTO ledger.event SELECT * FROM ledger.event WHERE position = 3",
    )
    position, _ = found(dsn, engine) or (0, "")
    assert position in {3, 4}


class TestCheckpoint:
    """What only something that was kept elsewhere can show."""

    def test_a_log_that_grew(self, log: str, engine: str) -> None:
        """It goes on from where it was, and only that is recomputed."""
        checkpoint = checkpoint_of(log)
        store = PostgresStore(log)
        store.append([an_event() for _ in range(3)])
        store.close()
        report = verify(log, engine=ENGINES[engine], checkpoint=checkpoint)
        assert (report.problem, report.first, report.last) == (None, COUNT + 1, COUNT + 3)
        tamper(log, "UPDATE ledger.event SET type = 'x' WHERE position = 62")
        assert found(log, engine, checkpoint=checkpoint) == (62, "columns")

    def test_a_log_that_did_not_grow(self, log: str, engine: str) -> None:
        """There is nothing to recompute, and the end is the one it was."""
        report = verify(log, engine=ENGINES[engine], checkpoint=checkpoint_of(log))
        assert (report.problem, report.events) == (None, 0)

    def test_a_truncated_tail(self, log: str, engine: str) -> None:
        """Without the checkpoint the rest is as sound as ever; with it, the end is missed."""
        checkpoint = checkpoint_of(log)
        tamper(log, "DELETE FROM ledger.event WHERE position > 55")
        assert found(log, engine) is None
        assert found(log, engine, checkpoint=checkpoint) == (56, "cut_off")
        tamper(log, "UPDATE ledger.event SET type = 'x' WHERE position = 33")
        assert found(log, engine, checkpoint=checkpoint) == (33, "columns")
        tamper(log, "DELETE FROM ledger.event")
        assert found(log, engine, checkpoint=checkpoint) == (1, "cut_off")

    def test_a_tail_that_was_written_anew(self, log: str, engine: str) -> None:
        """Cut off and appended to: another history from there on."""
        checkpoint = checkpoint_of(log)
        tamper(log, "DELETE FROM ledger.event WHERE position > 55")
        store = PostgresStore(log)
        store.append([an_event() for _ in range(20)])
        store.close()
        assert found(log, engine) is None
        assert found(log, engine, checkpoint=checkpoint) == (COUNT, "rewritten")

    def test_a_log_that_was_rewritten_as_a_whole(self, log: str, engine: str) -> None:
        """A superuser who computes every hash anew makes a sound log; the checkpoint is of another."""
        checkpoint = checkpoint_of(log)
        rewrite(log, 30, "UPDATE ledger.event SET body = '{}' WHERE position = 30")
        assert found(log, engine) is None
        assert found(log, engine, checkpoint=checkpoint) == (COUNT, "rewritten")

    def test_a_checkpoint_whose_event_is_gone(self, log: str, engine: str) -> None:
        """The hole at the checkpoint itself is named as a hole."""
        checkpoint = checkpoint_of(log)
        store = PostgresStore(log)
        store.append([an_event()])
        store.close()
        tamper(log, "DELETE FROM ledger.event WHERE position = 60")
        assert found(log, engine, checkpoint=checkpoint) == (COUNT, "missing")

    def test_a_checkpoint_of_another_ledger(self, log: str, engine: str) -> None:
        """Two ledgers have two ids; neither is verified against the other."""
        other = Checkpoint("other", 1, bytes(32), None, FrozenClock().now())
        assert found(log, engine, checkpoint=other) == (1, "other_ledger")

    def test_a_checkpoint_of_an_empty_log(self, log: str, engine: str) -> None:
        """Position 0 is the genesis, from which everything is recomputed."""
        empty = Checkpoint(None, 0, bytes(32), None, FrozenClock().now())
        assert verify(log, engine=ENGINES[engine], checkpoint=empty).events == COUNT

    def test_it_survives_its_file(self, log: str, tmp_path: Path) -> None:
        """What was written is what is read."""
        taken = checkpoint_of(log)
        taken.write(tmp_path / "c.json")
        assert checkpoints.read(tmp_path / "c.json") == taken
        assert taken.ledger == "mine"
        assert taken.position == COUNT


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{}", b"not json", b"\xff", b'{"format": 2}', b'{"format": 1, "chain": "zz"}',
        b'{"format":1,"ledger":null,"position":-1,"chain":"' + b"00" * 32
        + b'","recorded_at":null,"written_at":"2025-01-01T00:00:00Z"}',
        b'{"format":1,"ledger":null,"position":1,"chain":"00","recorded_at":null,"written_at":"2025-01-01"}',
        b'{"format":1,"ledger":null,"position":true,"chain":"' + b"00" * 32
        + b'","recorded_at":null,"written_at":"2025-01-01T00:00:00Z"}',
    ],
)  # fmt: skip
def test_a_file_that_is_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    """Bad input: one sentence that names the file."""
    (tmp_path / "c.json").write_bytes(content)
    with pytest.raises(BadInput, match=r"c\.json is no checkpoint"):
        checkpoints.read(tmp_path / "c.json")


def test_a_checkpoint_that_is_not_there(tmp_path: Path) -> None:
    """Bad input: so is a missing file."""
    with pytest.raises(BadInput, match="does not exist"):
        checkpoints.read(tmp_path / "c.json")


def test_starting_further_on(log: str, engine: str) -> None:
    """--from takes what lies before as given."""
    tamper(log, "UPDATE ledger.event SET type = 'x' WHERE position = 10")
    assert found(log, engine, first=11) is None
    assert found(log, engine, first=10) == (10, "columns")
    assert verify(log, engine=ENGINES[engine], first=COUNT + 1).events == 0
    with pytest.raises(BadInput, match="no event at position 98"):
        verify(log, engine=ENGINES[engine], first=99)


def test_every_vector_in_the_database(dsn: str, engine: str) -> None:
    """I3: the frozen vectors, put in as they are, are what each implementation computes."""
    columns = [name for name in VECTORS[0] if name not in {"body", "body_hash", "chain"}]
    with unguarded(dsn) as connection:
        for vector in VECTORS:
            connection.execute(
                "INSERT INTO ledger.event VALUES "
                "(1, %(position)s, %(revision)s, %(schema_version)s, %(event_id)s, %(occurred_at)s, "
                "%(recorded_at)s, %(body_hash)s, %(stream)s, %(type)s, %(chain)s, %(body)s)",
                {name: vector[name] for name in columns}
                | {name: bytes.fromhex(vector[name]) for name in ("body_hash", "chain")}
                | {"body": vector["body"].encode()},
            )
    report = verify(dsn, engine=ENGINES[engine])
    assert report.problem is None
    assert report.chain.hex() == VECTORS[-1]["chain"]


def registered(files: list[bytes], canonical: bytes, store: PostgresStore) -> None:
    """Append a ConfigRegistered whose blobs are in the store."""
    hashes = [store.put_blob(content) for content in files]
    data: dict[str, Any] = {
        "fingerprint": f"sha256:{store.put_blob(canonical)}",
        "snapshot": "00" * 32,
        "files": [{"name": "f", "sha256": name, "size": 1} for name in hashes],
    }
    store.append([an_event(type_="ConfigRegistered", **data)])


def test_blobs_that_events_name(dsn: str, engine: str) -> None:
    """I3: the chain vouches for configuration bytes by their hash, so they are hashed again."""
    store = PostgresStore(dsn)
    registered([b"one", b"two"], b"{}", store)
    registered([b"one", b"three"], b'{"a":1}', store)
    registered([b"big" * 500_000], b'{"a":2}', store)
    store.put_blob(b"named by nobody")
    store.close()
    report = verify(dsn, engine=ENGINES[engine])
    assert (report.problem, report.blobs) == (None, 7)
    tamper(
        dsn,
        "ALTER TABLE ledger.blob DROP CONSTRAINT blob_is_its_hash",
        "UPDATE ledger.blob SET bytes = 'changed' WHERE bytes = 'three'",
    )
    assert found(dsn, engine) == (2, "blob")
    assert found(dsn, engine, first=3) is None
    tamper(dsn, "DELETE FROM ledger.blob WHERE bytes = 'one'")
    assert found(dsn, engine) == (1, "blob")


def test_a_registration_whose_body_was_destroyed(dsn: str, engine: str) -> None:
    """What can't be read names no blobs, and is itself the problem."""
    store = PostgresStore(dsn)
    registered([b"one"], b"{}", store)
    store.close()
    for body in ("", "[]", '{"data":{}}', '{"data":{"fingerprint":1,"files":[]}}'):
        with unguarded(dsn) as connection:
            connection.execute("UPDATE ledger.event SET body = %s", [body.encode()])
        assert found(dsn, engine) == (1, "body")


def test_appending_meanwhile(log: str, engine: str) -> None:
    """The log is verified up to where it ended when it began; writers go on."""
    store = PostgresStore(log)

    def append(_count: int, _total: int) -> None:
        store.append([an_event()])

    assert verify(log, engine=ENGINES[engine], tell=append).last == COUNT
    store.append([an_event()])
    store.close()
    assert found(log, engine) is None


def test_an_empty_database(empty_dsn: str, engine: str) -> None:
    """Bad input: no ledger is told as that."""
    with pytest.raises(SchemaMissing):
        verify(empty_dsn, engine=ENGINES[engine])


def test_a_server_that_is_not_there(engine: str) -> None:
    """Bad input: nobody answers."""
    with pytest.raises(LedgerUnreachable):
        verify("host=/nonexistent dbname=x", engine=ENGINES[engine])
