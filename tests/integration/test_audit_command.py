"""rollout sql: what a person types, what comes out, and what is told when it can't."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import resource
import shlex
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from ledger.store.postgres import PostgresStore
from projections.audit.replica import replica_path
from projections.audit.saved import all_saved
from projections.audit.sync import sync
from tests.support.audit import a_day, minutes, tampering
from tests.support.builders import events
from tests.support.commands import Rollout
from tests.support.postgres import PostgresServer

ROOT = Path(__file__).parents[2]
COUNT = len(a_day())
AWAY = "host=127.0.0.1 port=1 dbname=none user=none"


def at(count: float) -> object:
    return minutes(count).replace(tzinfo=None)


@pytest.fixture(scope="module")
def day(embedded_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home whose replica holds a day."""
    folder = tmp_path_factory.mktemp("home")
    with embedded_server.fresh_ledger() as dsn:
        store = PostgresStore(dsn)
        store.append(a_day())
        store.close()
        sync(dsn, folder)
    return folder


def only(row: dict[str, object], *names: str) -> tuple[object, ...]:
    return tuple(row[name] for name in names)


@pytest.fixture
def rollout(embedded_dsn: str, tmp_path: Path) -> Rollout:
    """A command whose ledger holds the day."""
    store = PostgresStore(embedded_dsn)
    store.append(a_day())
    store.close()
    return Rollout(tmp_path / "home", embedded_dsn)


def test_the_same_answer_in_every_form(rollout: Rollout, tmp_path: Path) -> None:
    """Data on stdout, in UTC with a Z, JSON as JSON."""
    question = (
        "SELECT position, occurred_at, actor, data, labels, ok, position, n FROM (SELECT *, ['a'] AS labels, "
        "true AS ok, 12345678901234567890123::HUGEINT AS n FROM events) WHERE position <= 2 ORDER BY position"
    )
    first = {
        "position": 1, "occurred_at": "2025-11-20T12:00:00.000000Z", "actor": "ann",
        "data": {"actuators": {}, "description": "", "environment": "production"}, "labels": ["a"],
        "ok": True, "position_2": 1, "n": "12345678901234567890123",
    }  # fmt: skip
    assert rollout("sql", question, "-o", "json").json[0] == first
    lines = rollout("sql", question, "-o", "jsonl").out.splitlines()
    assert [json.loads(line)["position"] for line in lines] == [1, 2]
    told = list(csv.DictReader(io.StringIO(rollout("sql", question, "-o", "csv").out)))
    assert told[0]["occurred_at"] == "2025-11-20T12:00:00.000000Z"
    assert json.loads(told[0]["data"]) == first["data"]
    table = rollout("sql", question)
    assert "2025-11-20 12:00:00Z" in table.out
    assert f"as of position {COUNT}, recorded at" in table.err
    rollout("sql", "SELECT position, occurred_at FROM events", "--out", tmp_path / "x.parquet")
    with duckdb.connect() as connection:
        connection.execute(f"SELECT count(*), max(position) FROM '{tmp_path}/x.parquet'")
        assert connection.fetchall() == [(COUNT, COUNT)]
    rollout("sql", question, "--out", tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text())[0] == first
    assert {path.name for path in tmp_path.iterdir()} == {"home", "x.json", "x.parquet"}


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["SELECT foo FROM events"], 'Referenced column "foo" not found', "Candidate bindings"),
        (["SELECT * FROM event"], "Table with name event does not exist", "Did you mean"),
        (["SELECT 1 +"], "syntax error", "LINE 1"),
        (["SELECT 'x'::INTEGER"], "Could not convert string 'x' to INT32", ""),
        (["DROP VIEW events"], "DROP is no reading statement", "SELECT"),
        (["SELECT $x"], "asks for $x", "--param x="),
        (["SELECT 1", "-p", "x=1"], "has no $x", ""),
        (["SELECT 1", "-p", "x"], "is not NAME=VALUE", ""),
        (["SELECT 1; SELECT 2", "-o", "json"], "these are 2 statements", "jsonl"),
        (["SELECT 1", "-o", "parquet"], "needs a file", "--out"),
        (["SELECT 1", "-o", "table", "--out", "x"], "not for a file", ""),
        (["SELECT 1", "--saved", "blame"], "not both", ""),
        (["--saved", "blam"], "no saved question 'blam'", "Did you mean blame"),
        (["--saved", "blame"], "needs the system", "--param system="),
        (["--saved", "who-acts", "-p", "x=1"], "no parameter 'x'", ""),
        (["--saved", "who-changed-what", "-p", "since=noon"], "noon", ""),
        ([], "no question", "--saved"),
        (["  "], "no question", ""),
        (["/* nothing */"], "no SQL", ""),
    ],
)
def test_a_wrong_question_is_one_clear_line(
    arguments: list[str], message: str, hint: str, day: Path
) -> None:
    """Exit 2, a sentence, DuckDB's own hint."""
    told = Rollout(day, AWAY)("sql", "--no-sync", *arguments, exits=2)
    sentence, _, rest = told.err.partition("\n  next: ")
    assert message in sentence.splitlines()[-1], told.err
    assert hint in rest, told.err
    assert told.out == ""


def test_questions_from_stdin_and_saved(rollout: Rollout) -> None:
    """SQL of any length by a pipe; parameters by name."""
    environment = os.environ | {"ROLLOUT_HOME": str(rollout.home), "ROLLOUT_DSN": str(rollout.dsn)}
    told = subprocess.run(
        [sys.executable, "-m", "cli.main", "sql", "-", "-o", "json", "--param", "n=2"],
        env=environment, input="SELECT count(*) AS n FROM events\nWHERE position <= $n",
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(told.stdout) == [{"n": 2}]
    rows = rollout("sql", "--saved", "blame", "--param", "system=bot", "-o", "json").json
    assert [row["key"] for row in rows] == ["risk.max", "venue"]
    listed = rollout("sql", "--list", "-o", "json").json
    assert {row["name"] for row in listed} == {saved.id for saved in all_saved()}
    assert "who-changed-what" in rollout("sql", "--list").out


def test_without_postgres_the_replica_answers_and_says_as_of_when(rollout: Rollout) -> None:
    """An audit works while Postgres is down; what the answer covers is told."""
    cut_off = Rollout(rollout.home, AWAY)
    assert "can't be reached" in cut_off("sql", "SELECT 1", exits=9).err
    rollout("sql", "SELECT 1")
    told = cut_off("sql", "SELECT max(position) AS last FROM events", "-o", "json")
    assert told.json == [{"last": COUNT}]
    assert "Postgres can't be reached" in told.err
    assert f"note: as of position {COUNT}, recorded at 20" in told.err
    assert f"as of position {COUNT}" in rollout("sql", "--no-sync", "SELECT 1", "-o", "json").err
    assert rollout("sql", "SELECT 1", "-o", "json").talk == ""
    assert "can't be reached" in cut_off("sql", "--rebuild", exits=9).err


def test_a_log_that_disagrees_is_exit_7(rollout: Rollout, embedded_dsn: str) -> None:
    """I3: loud, with the way on; the replica can be read, and replaced without losing it."""
    rollout("sql", "SELECT 1")
    with tampering(embedded_dsn) as connection:
        connection.execute("DELETE FROM ledger.event WHERE position = %s", [COUNT])
    told = rollout("sql", "SELECT 1", exits=7)
    assert f"ends at position {COUNT - 1}, but the audit replica holds {COUNT}" in told.err
    assert "--rebuild" in told.err
    assert rollout("sql", "--no-sync", "SELECT count(*) AS n FROM events", "-o", "json").json == [
        {"n": COUNT}
    ]
    rebuilt = rollout("sql", "--rebuild")
    assert "kept as" in rebuilt.err
    assert len(list(rollout.home.glob(f"audit-{COUNT}-*.duckdb"))) == 1
    assert rollout("sql", "SELECT count(*) AS n FROM events", "-o", "json").json == [
        {"n": COUNT - 1}
    ]


def test_an_auditor_needs_no_right_but_to_read(rollout: Rollout, embedded_dsn: str) -> None:
    """I15, I1: a login that is a member of the auditors' role only."""
    from psycopg.conninfo import make_conninfo

    with tampering(embedded_dsn) as connection:
        connection.execute("DROP ROLE IF EXISTS test_auditor")
        connection.execute("CREATE ROLE test_auditor LOGIN IN ROLE ledger_auditor")
        try:
            auditor = Rollout(rollout.home, make_conninfo(embedded_dsn, user="test_auditor"))
            assert auditor("sql", "SELECT count(*) AS n FROM events", "-o", "json").json == [
                {"n": COUNT}
            ]
        finally:
            connection.execute("DROP ROLE test_auditor")


def test_a_large_answer_streams(day: Path) -> None:
    """600 MB of rows take no more memory than a few: they are written as they come."""
    question = "SELECT range AS n, repeat('x', 2000) AS text FROM range(300000)"
    command = [sys.executable, "-m", "cli.main", "sql", "--no-sync", question, "-o", "csv"]
    environment = os.environ | {"ROLLOUT_HOME": str(day), "ROLLOUT_DSN": AWAY}
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        assert sum(1 for _ in process.stdout) == 300_001
        assert process.wait() == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert after <= max(before, 300_000), "kilobytes"


def test_a_reader_that_goes_away_is_no_error(day: Path) -> None:
    """rollout sql … | head"""
    question = "SELECT range AS n FROM range(3000000)"
    command = (
        f"{shlex.quote(sys.executable)} -m cli.main sql --no-sync '{question}' -o csv | head -2"
    )
    environment = os.environ | {"ROLLOUT_HOME": str(day), "ROLLOUT_DSN": AWAY}
    told = subprocess.run(
        ["/bin/sh", "-c", command],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "n\n0\n"
    assert "Traceback" not in told.stderr
    assert "went wrong" not in told.stderr


def test_only_so_many_rows_are_a_table(day: Path) -> None:
    """Nobody reads a million rows; the rest is not hidden."""
    told = Rollout(day, AWAY)("sql", "--no-sync", "FROM range(5000)")
    assert len(told.out.splitlines()) == 1001
    assert "Only the first 1,000 rows are shown" in told.err


def test_a_question_that_takes_too_long_is_exit_6(day: Path) -> None:
    """A bound that the person sets."""
    question = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = 7"
    told = Rollout(day, AWAY)("sql", "--no-sync", question, "--timeout", "0.5", exits=6)
    assert "longer than 0.5 s" in told.err


def test_the_shell_runs_what_is_piped_in(day: Path) -> None:
    """Statements over several lines; the first error ends it."""
    environment = os.environ | {"ROLLOUT_HOME": str(day), "ROLLOUT_DSN": AWAY}
    told = subprocess.run(
        [sys.executable, "-m", "cli.main", "sql", "--no-sync", "--shell", "-o", "jsonl"],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
        input="SELECT 1 AS a;\nSELECT ';' AS b,\n  2 AS c\n;\n.saved\nSELECT foo;\nSELECT 3 AS too_late;\n",
    )  # fmt: skip
    assert told.returncode == 2
    lines = told.stdout.splitlines()
    assert [json.loads(line) for line in lines[:2]] == [{"a": 1}, {"b": ";", "c": 2}]
    assert lines[2].startswith("alert-to-rollback")
    assert "too_late" not in told.stdout
    assert 'Referenced column "foo"' in told.stderr


def test_the_shell_with_a_person(embedded_dsn: str, tmp_path: Path) -> None:
    """A terminal: an error is told and the shell goes on; others sync meanwhile; lines are remembered."""
    rollout = Rollout(tmp_path, embedded_dsn)
    store = PostgresStore(embedded_dsn)
    store.append(events(3))
    master, slave = pty.openpty()
    environment = os.environ | {
        "ROLLOUT_HOME": str(tmp_path), "ROLLOUT_DSN": embedded_dsn, "TERM": "dumb", "ROLLOUT_OUTPUT": "jsonl",
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "cli.main", "sql", "--shell"], env=environment, cwd=ROOT,
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    ) as process:  # fmt: skip
        os.close(slave)
        seen = _until(master, "rollout> ")
        os.write(master, b"SELECT count(*) AS n\n")
        seen += _until(master, "..> ")
        os.write(master, b"FROM events;\n")
        seen += _until(master, "rollout> ")
        store.append(events(2))
        assert rollout("sql", "SELECT count(*) AS n FROM events", "-o", "json").json == [{"n": 5}]
        os.write(master, b"SELECT foo;\n")
        seen += _until(master, "rollout> ")
        os.write(master, b"SELECT count(*) AS later FROM events;\n")
        seen += _until(master, '{"later":5}')
        os.write(master, b".quit\n")
        assert process.wait(20) == 0
    os.close(master)
    store.close()
    assert '{"n":3}' in seen
    assert 'Referenced column "foo"' in seen
    history = tmp_path / "sql_history"
    assert "FROM events;" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


def _until(master: int, text: str) -> str:
    """Read from a terminal until ``text`` is there."""
    seen, deadline = "", time.monotonic() + 30
    while text not in seen:
        assert time.monotonic() < deadline, seen
        seen += os.read(master, 4096).decode()
    return seen


def test_a_rebuild_alone_is_a_command(rollout: Rollout) -> None:
    """It needs no question."""
    assert f"built anew: {COUNT} events" in rollout("sql", "--rebuild").err
    assert replica_path(rollout.home).exists()
    assert "can't go with --no-sync" in rollout("sql", "--rebuild", "--no-sync", exits=2).err
