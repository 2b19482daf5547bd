"""I15: audit SQL can only read the audit data. Each attempt is made twice: as a person would make it,
through the check of the statement, and at the engine itself, with our check left out."""

from __future__ import annotations

import http.server
import os
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from ledger.domain.errors import BadInput, LedgerError, TimedOut
from ledger.store.postgres import PostgresStore
from projections.audit import replica, shut_in
from projections.audit.ask import Questioner
from projections.audit.replica import replica_path
from projections.audit.sync import sync
from tests.support.audit import a_day, ask, asking
from tests.support.audit_attempts import (
    ALLOWED,
    FILES_AND_NETWORK,
    LOCAL_NAMES,
    ONLY_OURS,
    SETTINGS,
    WRITING,
)

ROOT = Path(__file__).parents[2]
SECRET = "what-nobody-may-read"


@pytest.fixture(scope="module")
def home(embedded_server: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home whose replica holds a day."""
    from tests.support.postgres import PostgresServer

    assert isinstance(embedded_server, PostgresServer)
    folder = tmp_path_factory.mktemp("home")
    with embedded_server.fresh_ledger() as dsn:
        store = PostgresStore(dsn)
        store.append(a_day())
        store.close()
        sync(dsn, folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what must not be read."""
    made = tmp_path_factory.mktemp("secrets")
    (made / "secret.txt").write_text(SECRET)
    (made / "secret.csv").write_text(f"a,b\n{SECRET},2\n")
    with duckdb.connect(str(made / "other.duckdb")) as connection:
        connection.execute(f"CREATE TABLE secret AS SELECT '{SECRET}' AS a")
        connection.execute(f"COPY secret TO '{made}/secret.parquet' (FORMAT parquet)")
    return made


class _Asked(http.server.SimpleHTTPRequestHandler):
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_error(404)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name there
        return


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Yield the port of a web server; nobody may have asked it anything at the end."""
    _Asked.asked.clear()
    with socketserver.TCPServer(("127.0.0.1", 0), _Asked) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()
    assert _Asked.asked == []


def answered(asked: Questioner, text: str) -> list[list[tuple[object, ...]]]:
    return [list(asked.ask(statement).rows) for statement in asked.statements(text)]


def seen(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("attempt", FILES_AND_NETWORK + SETTINGS + WRITING + ONLY_OURS)
def test_a_statement_is_refused_before_it_runs(
    attempt: str, home: Path, folder: Path, port: int
) -> None:
    """I15: one clear sentence, exit 2, and nothing was read or made."""
    before, stored = seen(folder), replica_path(home).read_bytes()
    text = attempt.format(folder=folder, port=port)
    with asking(home) as asked, pytest.raises(BadInput) as told:
        answered(asked, text)
    assert SECRET not in f"{told.value.message} {told.value.hint}"
    assert seen(folder) == before
    assert replica_path(home).read_bytes() == stored


@pytest.mark.parametrize("attempt", FILES_AND_NETWORK + SETTINGS + WRITING)
def test_the_engine_refuses_it_too(attempt: str, home: Path, folder: Path, port: int) -> None:
    """I15: were our check ever wrong, DuckDB's own settings still shut the statement in."""
    before, stored = seen(folder), replica_path(home).read_bytes()
    with (
        shut_in.open_for_reading(replica_path(home)) as connection,
        pytest.raises(duckdb.Error) as told,
    ):
        connection.execute(attempt.format(folder=folder, port=port)).fetchall()
    assert SECRET not in str(told.value)
    assert seen(folder) == before
    assert replica_path(home).read_bytes() == stored


@pytest.mark.parametrize("name", LOCAL_NAMES)
def test_no_variable_of_the_program_is_a_table(name: str, home: Path) -> None:
    """I15: DuckDB would otherwise read what a Python variable in sight holds."""
    rows = [{"a": SECRET}]
    with shut_in.open_for_reading(replica_path(home)) as connection:
        frame = duckdb.sql(f"SELECT '{SECRET}' AS a")
        assert rows
        assert frame
        with pytest.raises(duckdb.Error, match="does not exist"):
            connection.execute(f"SELECT * FROM {name}").fetchall()


@pytest.mark.parametrize("question", ALLOWED)
def test_what_reads_the_replica_is_answered(question: str, home: Path) -> None:
    """The walls leave all of SQL that reads."""
    with asking(home) as asked:
        for statement in asked.statements(question):
            answer = asked.ask(statement)
            assert answer.columns
            list(answer.rows)


def test_the_environment_and_the_machine_stay_out(home: Path) -> None:
    """I15: no function reads a variable of the environment."""
    with (
        asking(home) as asked,
        pytest.raises(BadInput, match=r"getenv\(\) is not part of the audit data"),
    ):
        asked.statements("SELECT getenv('HOME')")


def test_spilling_leaves_nothing_behind(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit into memory goes to a private folder, which is gone afterwards."""
    monkeypatch.setattr(shut_in, "_CONFIG", {**shut_in._CONFIG, "memory_limit": "60MB"})
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    modes: set[int] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.005):
            modes.update(
                path.stat().st_mode & 0o777 for path in tmp_path.iterdir() if any(path.iterdir())
            )

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        question = "SELECT hash(range) AS h FROM range(20000000) ORDER BY h LIMIT 5 OFFSET 15000000"
        assert len(ask(home, question)) == 5
    finally:
        stop.set()
        thread.join()
    assert modes == {0o700}
    assert list(tmp_path.iterdir()) == []


def test_a_question_that_needs_too_much_memory_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bound, a sentence, no crash."""
    monkeypatch.setattr(
        shut_in,
        "_CONFIG",
        {**shut_in._CONFIG, "memory_limit": "50MB", "max_temp_directory_size": "1MB"},
    )
    with pytest.raises(LedgerError, match="needs more memory"):
        ask(home, "SELECT list(range) FROM range(100000000)")


RUNAWAYS = [
    "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = 7",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
    "SELECT sleep_ms(60000)",
    "SELECT a.range FROM range(1000000000000) a WHERE a.range < 0",
]


@pytest.mark.parametrize("question", RUNAWAYS)
def test_a_runaway_question_is_stopped(question: str, home: Path) -> None:
    """Exit 6 after the time that it was given, and the connection is of use afterwards."""
    started = time.monotonic()
    with asking(home, timeout_seconds=0.5) as asked:
        with pytest.raises(TimedOut, match=r"longer than 0\.5 s"):
            list(asked.ask(asked.statements(question)[0]).rows)
        assert time.monotonic() - started < 5
        assert list(asked.ask(asked.statements("SELECT 1")[0]).rows) == [(1,)]


def test_an_engine_that_hears_nothing_is_left_behind(home: Path) -> None:
    """A single operation of seconds: the command ends in time all the same, with its sentence."""
    deaf = "SELECT max(length(repeat(range::VARCHAR, 200000))) FROM range(100000000)"
    program = (
        "from projections.audit import ask; from cli.main import main\n"
        f"ask.GRACE_SECONDS = 0.0\nmain(['sql', '--no-sync', '--timeout', '0.5', {deaf!r}])"
    )
    environment = os.environ | {"ROLLOUT_HOME": str(home), "ROLLOUT_DSN": "host=127.0.0.1 port=1"}
    told = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert told.returncode == 6, told
    assert told.stderr.splitlines()[1:] == [
        "rollout: The question took longer than 0.5 s.",
        "  next: Narrow it down (a system, a time), or give it longer: --timeout SECONDS",
    ]


def test_times_with_a_zone_stream_in_utc(home: Path) -> None:
    """I13: what DuckDB gives with a zone comes out in UTC, also inside lists."""
    question = (
        "SELECT make_timestamptz(1700000000000000 + range) AS at, [now()] AS l FROM range(5000)"
    )
    with asking(home) as asked:
        answer = asked.ask(asked.statements(question)[0])
        rows = list(answer.rows)
    assert answer.types == ("TIMESTAMP", "VARCHAR")
    assert (len(rows), str(rows[0][0])) == (5000, "2023-11-14 22:13:20")


def test_only_the_engines_time_counts(home: Path) -> None:
    """Whoever reads an answer slowly (less, a pager) is not cut off."""
    with asking(home, timeout_seconds=2) as asked:
        answer = asked.ask(asked.statements("FROM range(100000)")[0])
        first = next(answer.rows)
        time.sleep(2.2)
        assert [first, *answer.rows] == [(number,) for number in range(100_000)]


def test_ctrl_c_stops_a_question_at_once(home: Path) -> None:
    """SIGINT ends the command with 130, in the middle of the engine's work."""
    command = [sys.executable, "-m", "cli.main", "sql", "--no-sync", RUNAWAYS[0]]
    environment = os.environ | {"ROLLOUT_HOME": str(home), "ROLLOUT_DSN": "host=127.0.0.1 port=1"}
    with subprocess.Popen(
        command,
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "as of position" in process.stderr.readline()
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Interrupted" in err
    assert "Traceback" not in err


def test_the_engine_writes_one_file_and_no_other(home: Path, tmp_path: Path) -> None:
    """I15: for Parquet the engine may make the one file that the person named."""
    allowed, other = tmp_path / "allowed.parquet", tmp_path / "other.parquet"
    with shut_in.open_for_reading(replica_path(home), may_write=allowed) as connection:
        asked = Questioner(connection, timeout_seconds=10)
        (statement,) = asked.statements("SELECT position, occurred_at, data FROM events")
        with pytest.raises(BadInput):
            asked.write_parquet(statement, {}, other)
        asked.write_parquet(statement, {}, allowed)
    assert not other.exists()
    with duckdb.connect() as connection:
        connection.execute(f"SELECT count(*) FROM '{allowed}'")
        assert connection.fetchall() == [(len(a_day()),)]


def test_the_replica_is_the_only_file_that_the_engine_holds_open_to_read(home: Path) -> None:
    """I15: its own file is all that a connection may open again, and that is the audit data."""
    path = replica_path(home)
    with shut_in.open_for_reading(path) as connection:
        connection.execute(f"SELECT size FROM read_blob('{path}')").fetchall()
        with pytest.raises(duckdb.Error):
            connection.execute(f"SELECT size FROM read_blob('{home}/audit.lock')").fetchall()
    with asking(home) as asked, pytest.raises(BadInput):
        asked.statements(f"SELECT * FROM read_blob('{path}')")
    assert path.name == replica.FILE_NAME
