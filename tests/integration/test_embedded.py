"""The embedded Postgres through all that happens to a server on somebody's machine.

Each test runs real commands as each user that the machine lets us be. What is promised: the next
command, or the next boot, finds the ledger usable (I12), and nothing committed is lost.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from ledger.store.embedded import EmbeddedPostgres
from tests.support.households import (
    Household,
    as_one_user,
    mode_of,
    open_household,
    seed,
    wait_for,
)
from tests.support.identities import IDENTITIES, Identity

pytestmark = pytest.mark.as_root


def test_a_fresh_home_gets_a_server_fit_for_a_ledger(fresh: Household) -> None:
    """Durable, deterministic, checked, and open to nobody else."""
    dsn = fresh.run().dsn()
    with psycopg.connect(dsn) as connection:
        settings = dict(connection.execute("SELECT name, setting FROM pg_settings").fetchall())
        database = connection.execute(
            "SELECT current_database(), datcollate, datctype, pg_encoding_to_char(encoding)"
            " FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    assert database == ("ledger", "C", "C", "UTF8")
    wanted = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "TimeZone": "UTC",
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }
    assert {name: settings[name] for name in wanted} == wanted
    assert settings["server_version"].startswith("18")
    assert mode_of(fresh.files.folder) == 0o700
    assert mode_of(fresh.files.data) == 0o700
    assert mode_of(fresh.files.folder / ".s.PGSQL.5432") == 0o700
    assert fresh.postmaster().uids().real != 0


def test_the_next_command_finds_the_server_that_the_first_one_left(household: Household) -> None:
    """The first command has ended; its server hasn't, and isn't started twice."""
    first = household.run()
    assert household.run("find").dsn() == first.dsn()
    assert household.run().dsn() == first.dsn()
    assert household.starts() == 1


@as_one_user
def test_finding_the_server_takes_less_than_a_millisecond(household: Household) -> None:
    """A pause at three in the morning doesn't wait for us to look around."""
    household.run()
    server = EmbeddedPostgres(household.home)
    seconds = []
    for _ in range(50):
        began = time.perf_counter()
        assert server.find() is not None
        seconds.append(time.perf_counter() - began)
    assert sorted(seconds)[25] < 0.001


@pytest.mark.parametrize("count", [2, 8])
def test_commands_started_at_once_on_a_fresh_home_share_one_server(
    fresh: Household, count: int
) -> None:
    """Exactly one makes the data and starts the server; all get it."""
    commands = [fresh.start() for _ in range(count)]
    answers = {command.answer().dsn() for command in commands}
    assert len(answers) == 1
    assert fresh.starts() == 1
    assert not fresh.files.staging.exists()
    assert fresh.one("SELECT count(*) FROM pg_database WHERE datname = 'ledger'") == 1


@as_one_user
def test_commands_started_at_once_after_a_crash_share_one_server(household: Household) -> None:
    """I12: also when each of them sees what the dead server left."""
    household.run()
    household.kill_everything()
    commands = [household.start() for _ in range(4)]
    assert len({command.answer().dsn() for command in commands}) == 1
    assert household.starts() == 2


def test_what_was_committed_survives_a_killed_postmaster(household: Household) -> None:
    """I12: kill -9 while a command is connected, then the next command just works."""
    household.write("CREATE TABLE kept AS SELECT 7 AS value")
    with contextlib.closing(psycopg.connect(household.run().dsn())) as connection:
        connection.execute("SELECT 1")
        household.postmaster().kill()
        assert household.one("SELECT value FROM kept") == 7


def test_what_was_committed_survives_a_power_cut(household: Household) -> None:
    """I12: no process gets to clean up; the pid file and the socket stay behind."""
    household.write("CREATE TABLE kept AS SELECT 7 AS value")
    household.kill_everything()
    assert household.files.pid_file.exists()
    assert household.run("find").conninfo is None
    assert household.one("SELECT value FROM kept") == 7


def test_a_pid_file_whose_pid_is_another_programs_is_no_server(household: Household) -> None:
    """After a boot the old pid may be anybody's, of the same user even; Postgres would give up."""
    household.run()
    old = household.files.pid_file.read_text()
    owner = household.postmaster().uids().real
    household.kill_everything()
    other = subprocess.Popen(["sleep", "600"], user=owner if os.geteuid() == 0 else None)
    try:
        for stale in (household.files.pid_file, household.files.folder / ".s.PGSQL.5432.lock"):
            stale.write_text("\n".join([str(other.pid), *old.split("\n")[1:]]))
        assert household.run("find").conninfo is None
        assert household.one("SELECT 1") == 1
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


@as_one_user
def test_a_pid_file_that_names_another_server_is_not_followed(
    household: Household, home: Path
) -> None:
    """A home that was copied while its server ran must not lead into the original."""
    original = household.run().dsn()
    household.write("CREATE TABLE only_in_the_original AS SELECT 1")
    home.mkdir(mode=0o711)
    pid_file = household.files.pid_file.read_bytes()
    copy = Household(IDENTITIES[0], home, None)
    copy.run().dsn()
    assert copy.run("stop").state == "stopped"
    copy.files.pid_file.write_bytes(pid_file)
    assert copy.run("find").conninfo is None
    assert copy.run().dsn() != original
    assert copy.one("SELECT to_regclass('only_in_the_original')") is None


@pytest.mark.parametrize(
    "content",
    [b"", b"12", b"1\n", b"4194300\n/data\n17", b"-1\n", b"9" * 30, b"\xff\xfe", b"\n\n\n\n\n\n\n"],
    ids=["empty", "no line", "init", "three lines", "negative", "huge", "not text", "blank"],
)
@as_one_user
def test_a_half_written_pid_file_is_no_obstacle(household: Household, content: bytes) -> None:
    """Postgres refuses to start over such a file until a person removes it."""
    household.files.pid_file.write_bytes(content)
    assert household.run("find").conninfo is None
    assert household.one("SELECT 1") == 1


@pytest.mark.parametrize("also_initdb", [True, False], ids=["all", "the command only"])
def test_an_interrupted_first_start_is_begun_again(fresh: Household, also_initdb: bool) -> None:
    """I12: the data folder is made beside its place, so it is whole or not there."""
    command = fresh.start()
    wait_for((fresh.files.staging / "global").exists)
    victim = psutil.Process(command.process.pid)
    victims = [victim, *(victim.children(recursive=True) if also_initdb else [])]
    for process in victims:
        process.kill()
    command.process.communicate()
    assert not fresh.files.data.exists()
    assert fresh.one("SELECT current_database()") == "ledger"
    assert not fresh.files.staging.exists()


@as_one_user
def test_a_first_start_is_finished_by_another_when_its_command_dies_late(
    household: Household,
) -> None:
    """I12: killed between the server's start and its being ready, the server goes on."""
    command = household.start()
    wait_for(household.files.log.exists)
    command.process.kill()
    command.process.communicate()
    assert household.one("SELECT current_database()") == "ledger"
    assert household.starts() == 1


@as_one_user
def test_a_socket_that_was_swept_away_comes_back(household: Household) -> None:
    """A server doesn't make its socket a second time; it has to be started again."""
    household.write("CREATE TABLE kept AS SELECT 7 AS value")
    (household.files.folder / ".s.PGSQL.5432").unlink()
    assert household.run("find").conninfo is None
    assert household.one("SELECT value FROM kept") == 7


PATHS = [
    *[(identity, "long" * 30) for identity in IDENTITIES],
    *[(IDENTITIES[0], name) for name in ("a,b", "quote\"s and 's", "$(touch x) `x`", "Ünïcödé\\")],
]


@pytest.mark.parametrize(
    ("identity", "name"), PATHS, ids=lambda value: getattr(value, "name", value)
)
def test_any_path_will_do_for_a_home(identity: Identity, name: str) -> None:
    """A socket's path has 107 bytes at most, and libpq and the shell take some signs amiss."""
    with open_household(identity, name) as household:
        subprocess.run(["cp", "-a", str(seed(identity)), str(household.home)], check=True)
        household.write("CREATE TABLE kept AS SELECT 7 AS value")
        folder = Path(EmbeddedPostgres(household.home).status().socket_folder or "")
        elsewhere = folder != household.files.folder
        assert elsewhere == (len(name) > 100 or "," in name or '"' in name)
        owner = household.postmaster().uids().real
        assert (folder.stat().st_uid, mode_of(folder)) == (owner, 0o700)
        # The boot: everything is gone, the folder below /run or /tmp too.
        household.kill_everything()
        if elsewhere:
            shutil.rmtree(folder)
        assert household.one("SELECT value FROM kept") == 7
        assert household.run("stop").state == "stopped"
        assert folder.exists() != elsewhere


def test_a_socket_folder_that_others_can_enter_is_never_used(identity: Identity) -> None:
    """Somebody else may guess the folder's name and make it first."""
    with open_household(identity, "long" * 30) as household:
        subprocess.run(["cp", "-a", str(seed(identity)), str(household.home)], check=True)
        household.run()
        taken = Path(EmbeddedPostgres(household.home).status().socket_folder or "")
        household.run("stop")
        assert taken.name.endswith("-0")
        taken.mkdir()
        taken.chmod(0o777)
        try:
            dsn = household.run().dsn()
            assert str(taken) not in dsn
            with psycopg.connect(dsn) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            assert list(taken.iterdir()) == []
            assert mode_of(taken) == 0o777
            household.run("stop")
        finally:
            taken.rmdir()


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_callers_environment_changes_nothing(fresh: Household, umask: int) -> None:
    """PG… variables, locale, loader and umask are the caller's business, not the server's."""
    env = {
        "PGDATA": "/nowhere",
        "PGPORT": "1",
        "PGHOST": "nowhere.invalid",
        "PGUSER": "nobody",
        "LC_ALL": "xx_XX.UTF-8",
        "TZ": "Asia/Tokyo",
        "TMPDIR": "/nowhere",
    }
    fresh.run(env=env, umask=umask).dsn()
    assert fresh.one("SHOW timezone") == "UTC"
    assert mode_of(fresh.files.folder) == 0o700
    assert mode_of(fresh.files.log) == 0o600
    if os.geteuid() != 0 or fresh.identity.uid is not None:
        assert mode_of(fresh.home) == 0o700
