"""Real servers for the tests: the embedded PostgreSQL 18 and Debian's PostgreSQL 15.

One of each for the whole run (the workers of pytest-xdist find it as commands do), with fsync off;
each test gets a database of its own, cloned from a migrated template.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import LiteralString

import psutil
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ledger.domain.errors import LedgerError
from ledger.store.embedded import EmbeddedPostgres
from tests.support.clean_databases import CleanDatabases
from tests.support.programs import HOW_TO_GET_THEM, PG15, PG15_PROGRAMS, is_here, postgres_servers

RUN_FOLDER = "ROLLOUT_TEST_FOLDER"
PREFIX = "rollout-ledger-tests-"
TEMPLATE = "ledger_template"
TEMPLATE_LOCK = 7_316_450
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
}

SERVERS = postgres_servers()


@dataclass(frozen=True)
class PostgresServer:
    """One server of the run."""

    name: str
    embedded: EmbeddedPostgres

    @cached_property
    def admin_dsn(self) -> str:
        """The conninfo of a superuser, of the database ``postgres``; starts the server."""
        return make_conninfo(self.embedded.ensure_running(timeout_seconds=120), dbname="postgres")

    def database(self, name: str) -> str:
        """Return the conninfo of a superuser for the database ``name``."""
        return make_conninfo(self.admin_dsn, dbname=name)

    @contextlib.contextmanager
    def fresh_ledger(self) -> Iterator[str]:
        """Yield the conninfo of a superuser for a database with a fresh ledger, for as long as the block."""
        name = self._clean.lend()
        try:
            yield self.database(name)
        finally:
            self._clean.take_back(name)

    @cached_property
    def _clean(self) -> CleanDatabases:
        return CleanDatabases(self.admin_dsn, self.template())

    @contextlib.contextmanager
    def new_database(self, template: str = "template1") -> Iterator[str]:
        """Yield the conninfo of a database that lives as long as the block."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        # As files, not through the WAL: a quarter of the work, and there is no crash to survive.
        self._do("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, template)
        try:
            yield self.database(name)
        finally:
            self._do("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def template(self) -> str:
        """Return the name of a database with the migrations applied; make it if need be."""
        from ledger.store.migrate import upgrade

        with psycopg.connect(self.admin_dsn, autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
            query = "SELECT 1 FROM pg_database WHERE datname = %s"
            if connection.execute(query, [TEMPLATE]).fetchone() is None:
                making = f"{TEMPLATE}_new"
                self._do("DROP DATABASE IF EXISTS {} WITH (FORCE)", making)
                self._do("CREATE DATABASE {} TEMPLATE template1", making)
                upgrade(self.database(making))
                self._do("ALTER DATABASE {} RENAME TO {}", making, TEMPLATE)
        return TEMPLATE

    def _do(self, statement: LiteralString, *names: str) -> None:
        with psycopg.connect(self.admin_dsn, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def open_run() -> None:
    """Make the folder of this run, in a place that the servers' user can enter."""
    for old in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        pid = old.name.removeprefix(PREFIX).partition("-")[0]
        if old.stat().st_uid == os.geteuid() and pid.isdigit() and not psutil.pid_exists(int(pid)):
            with contextlib.suppress(FileNotFoundError):  # another run may be clearing it, too
                _close(old)  # Of a run that was killed.
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    folder.chmod(0o711)
    os.environ[RUN_FOLDER] = str(folder)


def close_run() -> None:
    """Stop the servers of this run and remove its folder."""
    folder = os.environ.pop(RUN_FOLDER, None)
    if folder is not None:
        _close(Path(folder))


def run_folder() -> Path:
    """Return the folder of this run. Unlike pytest's own, other users can enter it."""
    return Path(os.environ[RUN_FOLDER])


def new_folder() -> Path:
    """Return a new folder of this run that other users can enter."""
    folder = run_folder() / uuid.uuid4().hex[:8]
    folder.mkdir()
    folder.chmod(0o711)
    return folder


def stop_by_any_means(home: Path) -> None:
    """Stop the server of ``home``, whatever a test has done to it."""
    server = EmbeddedPostgres(home)
    with contextlib.suppress(LedgerError):
        server.stop(timeout_seconds=20)
    for process in psutil.process_iter(["cmdline"]):
        if str(server.files.data) in (process.info["cmdline"] or []):
            process.kill()
            process.wait(10)


def _close(folder: Path) -> None:
    for lock in folder.rglob("postgres.lock"):
        stop_by_any_means(lock.parent)
    shutil.rmtree(folder)


@cache
def server_named(name: str) -> PostgresServer:
    """Return one of the `SERVERS`."""
    programs = None
    if name == "pg15":
        programs = PG15_PROGRAMS
        if not is_here(PG15):
            pytest.fail(f"{PG15} is missing: {HOW_TO_GET_THEM[PG15]}", pytrace=False)
    home = run_folder() / name
    return PostgresServer(name, EmbeddedPostgres(home, programs=programs, settings=FAST))


@pytest.fixture(scope="session", params=SERVERS)
def postgres_server(request: pytest.FixtureRequest) -> PostgresServer:
    """Each of the servers in turn."""
    return server_named(request.param)


@pytest.fixture(scope="session")
def embedded_server() -> PostgresServer:
    """The embedded server, for what doesn't depend on the version."""
    return server_named("embedded18")


@pytest.fixture
def dsn(postgres_server: PostgresServer) -> Iterator[str]:
    """A superuser's conninfo of a fresh, migrated database; once for each server."""
    with postgres_server.fresh_ledger() as conninfo:
        yield conninfo


@pytest.fixture
def empty_dsn(postgres_server: PostgresServer) -> Iterator[str]:
    """A superuser's conninfo of a database without the ledger's schema; once for each server."""
    with postgres_server.new_database() as conninfo:
        yield conninfo


@pytest.fixture
def embedded_dsn(embedded_server: PostgresServer) -> Iterator[str]:
    """As ``dsn``, on the embedded server only."""
    with embedded_server.fresh_ledger() as conninfo:
        yield conninfo


@pytest.fixture
def home() -> Iterator[Path]:
    """A home folder (not made yet) for a command's ROLLOUT_HOME; its server is stopped after."""
    folder = new_folder()
    yield folder / "home"
    stop_by_any_means(folder / "home")
    shutil.rmtree(folder)
