"""rollout verify, rollout checkpoint: as the processes that people and cron run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ledger.domain.errors import LedgerUnreachable
from ledger.store.chain_scan import Stretch
from ledger.store.connect import open_connection
from ledger.store.postgres import PostgresStore
from ledger.store.verify_engines import by_python
from ledger.store.wire import DONE, ERROR, error_text, pieces
from tests.support.builders import an_event, events
from tests.support.commands import Rollout
from tests.support.tampering import rewrite, tamper

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def log(embedded_dsn: str) -> str:
    """A log of twenty events."""
    store = PostgresStore(embedded_dsn)
    store.append([an_event("ledger", type_="LedgerCreated", ledger_id="mine", program_version="1")])
    store.append(events(19))
    store.close()
    return embedded_dsn


@pytest.fixture
def rollout(log: str, tmp_path: Path) -> Rollout:
    """The command, on that log."""
    return Rollout(tmp_path / "home", log)


@pytest.mark.parametrize("engine", ["python", "database", "duckdb"])
def test_a_sound_log(rollout: Rollout, engine: str) -> None:
    """I3: three implementations say the same."""
    told = rollout("verify", "--engine", engine, "-o", "json").json
    assert (told["sound"], told["first"], told["last"], told["events"]) == (True, 1, 20, 20)
    assert told["engine"] == engine
    assert told["chain"] == rollout("checkpoint").json["chain"]


def test_what_a_person_reads(rollout: Rollout) -> None:
    """Data on stdout, and nothing on stderr of a verification that takes no time."""
    told = rollout("verify")
    assert "Positions 1 to 20 are as they were recorded" in told.out
    assert told.talk == ""


@pytest.mark.parametrize("engine", ["python", "database"])
def test_exit_7_names_the_position(rollout: Rollout, log: str, engine: str) -> None:
    """I3: one clear line, the next step, and the exit code of an integrity failure."""
    tamper(log, "UPDATE ledger.event SET body = body || ' ' WHERE position = 7")
    told = rollout("verify", "--engine", engine, exits=7)
    assert "The first bad position is 7 (body)." in told.err
    assert "next: " in told.err
    assert told.out == ""
    record = rollout("verify", "--engine", engine, "-o", "json", exits=7).json
    assert (record["sound"], record["bad_position"], record["problem"]) == (False, 7, "body")
    assert record["explanation"]


def test_duckdb_recomputes_the_replica(rollout: Rollout, log: str) -> None:
    """I3: the third implementation, over a copy of a log that was changed before it was copied."""
    tamper(log, "UPDATE ledger.event SET type = 'Other' WHERE position = 9")
    told = rollout("verify", "--engine", "duckdb", exits=7)
    assert "The first bad position is 9" in told.err


def test_a_checkpoint_kept_elsewhere(rollout: Rollout, log: str, tmp_path: Path) -> None:
    """I3: what a superuser rewrote as a whole is still not what the checkpoint was made of."""
    kept = tmp_path / "kept.json"
    rollout("checkpoint", "--out", kept)
    assert json.loads(kept.read_bytes())["position"] == 20
    assert json.loads(kept.read_bytes())["ledger"] == "mine"
    rollout("verify", "--checkpoint", kept)
    store = PostgresStore(log)
    store.append(events(3))
    store.close()
    grown = rollout("verify", "--checkpoint", kept, "-o", "json").json
    assert (grown["first"], grown["last"]) == (21, 23)
    rewrite(log, 5, "UPDATE ledger.event SET body = '{}' WHERE position = 5")
    rollout("verify")
    told = rollout("verify", "--checkpoint", kept, exits=7)
    assert "(rewritten)" in told.err
    tamper(log, "DELETE FROM ledger.event WHERE position > 11")
    told = rollout("verify", exits=0)
    told = rollout("verify", "--checkpoint", kept, exits=7)
    assert "The first bad position is 12 (cut_off)." in told.err


def test_bad_input(rollout: Rollout, tmp_path: Path) -> None:
    """One clear line, exit 2."""
    (tmp_path / "no.json").write_text("{}")
    for words, sentence in (
        (("--checkpoint", tmp_path / "no.json"), "is no checkpoint"),
        (("--checkpoint", tmp_path / "absent.json"), "does not exist"),
        (("--from", "99"), "no event at position 98"),
        (("--from", "0"), "not in the range"),
        (("--from", "2", "--checkpoint", tmp_path / "no.json"), "give one of them"),
        (("--engine", "abacus"), "abacus"),
    ):
        assert sentence in rollout("verify", *words, exits=2).err


def test_a_checkpoint_that_can_not_be_written(rollout: Rollout, tmp_path: Path) -> None:
    """A folder that is not there: told, and nothing left behind."""
    told = rollout("checkpoint", "--out", tmp_path / "absent" / "c.json", exits=1)
    assert "absent" in told.err


def test_an_auditor_needs_no_right_to_write(rollout: Rollout, log: str) -> None:
    """The least that an audit needs: a login that may only read verifies, and takes checkpoints."""
    name = f"audits_{uuid4().hex[:8]}"
    with psycopg.connect(log, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        try:
            admin.execute(sql.SQL("GRANT ledger_auditor TO {}").format(sql.Identifier(name)))
            auditor = replace(rollout, dsn=make_conninfo(log, user=name))
            assert auditor("verify", "-o", "json").json["sound"]
            assert auditor("verify", "--engine", "database", "-o", "json").json["sound"]
            assert auditor("checkpoint").json["position"] == 20
            auditor("system", "add", "another", exits=9)
        finally:
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def whole(answer: Iterator[bytes]) -> bytes:
    """Return the messages of an answer up to and with CopyDone."""
    content, at = b"", 0
    for piece in answer:
        content += piece
        while len(content) >= at + 5:
            end = at + 1 + int.from_bytes(content[at + 1 : at + 5], "big")
            if end > len(content):
                break
            if content[at] == ERROR:
                raise psycopg.OperationalError(error_text(content[at + 5 : end]))
            if content[at] == DONE:
                return content[:end]
            at = end
    raise AssertionError("no CopyDone")


def test_both_ways_over_the_wire_give_the_same_bytes(log: str) -> None:
    """What is taken from the socket is what libpq gives, to the byte; bodies of megabytes among it."""
    store = PostgresStore(log)
    store.append([an_event(body=b"x" * 3_000_000), an_event(), an_event(body=b"")])
    store.append(events(5_000))
    store.close()
    for query in (
        "COPY (SELECT * FROM ledger.event ORDER BY position) TO STDOUT (FORMAT binary)",
        "COPY (SELECT * FROM ledger.event WHERE false) TO STDOUT (FORMAT binary)",
    ):
        with closing(open_connection(log)) as one, closing(open_connection(log)) as two:
            by_socket = whole(pieces(one, query, by_libpq=False))
            by_libpq = whole(pieces(two, query, by_libpq=True))
        assert by_socket == by_libpq


@pytest.mark.parametrize("by_libpq", [False, True])
def test_an_error_on_the_wire_is_an_error(log: str, by_libpq: bool) -> None:
    """A COPY that fails half way is no short log."""
    query = (
        "COPY (SELECT format, position / (position - 15) FROM ledger.event ORDER BY position) "
        "TO STDOUT (FORMAT binary)"
    )
    with closing(open_connection(log)) as connection:
        answer = pieces(connection, query, by_libpq=by_libpq)
        with pytest.raises(psycopg.Error, match="division by zero"):
            whole(answer)


def test_a_backend_that_dies_is_told(log: str) -> None:
    """A verification that could not read to the end says that, and not that the log is sound."""
    store = PostgresStore(log)
    store.append(events(30_000))
    store.close()
    with psycopg.connect(log, autocommit=True) as admin:

        def kill(_count: int) -> None:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND query LIKE 'COPY%'"
            )

        stretch = Stretch(1, 30_020, bytes(32))
        with pytest.raises(LedgerUnreachable):
            by_python(log, "ledger_auditor", [stretch], kill)
