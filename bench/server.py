"""The one server that all contenders run on: a PostgreSQL of the bench's own, or any other by DSN."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ledger.domain.errors import LedgerError
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.migrate import upgrade

PREFIX: Final = "rollout-ledger-bench-"
FLUSH_MICROSECONDS: Final = 2000
SETTINGS: Final = ("fsync", "synchronous_commit", "full_page_writes", "wal_level", "shared_buffers")


@dataclass
class Server:
    """A server, and the scratch databases that were made on it."""

    admin_dsn: str
    folder: Path
    """For files of this run, on a disk."""
    home: Path | None
    """The home folder of the embedded server; None for another server."""
    pid: int | None
    databases: list[str] = field(default_factory=list)

    def new_database(self, *, flush: bool = False) -> str:
        """Make an empty database; return its conninfo.

        With ``flush`` each commit waits two more milliseconds, about what a network disk takes.
        """
        name = f"bench_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.admin_dsn, autocommit=True) as connection:
            identifier = sql.Identifier(name)
            connection.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
            self.databases.append(name)
            if flush:
                for setting, value in (
                    ("commit_delay", FLUSH_MICROSECONDS),
                    ("commit_siblings", 0),
                ):
                    connection.execute(
                        sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                            identifier, sql.Identifier(setting), sql.Literal(value)
                        )
                    )
        return make_conninfo(self.admin_dsn, dbname=name)

    def new_ledger(self, *, flush: bool = False) -> str:
        """Make a database with an empty ledger in it; return its conninfo."""
        dsn = self.new_database(flush=flush)
        upgrade(dsn)
        return dsn

    def drop(self, dsn: str) -> None:
        """Remove a database that `new_database` made."""
        name = conninfo_to_dict(dsn)["dbname"]
        with psycopg.connect(self.admin_dsn, autocommit=True) as connection:
            statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(statement.format(sql.Identifier(str(name))))
        self.databases.remove(str(name))

    def settle(self, dsn: str) -> None:
        """Have the server do now, not during somebody's turn, what it would do later for a filled log."""
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")

    def describe(self) -> str:
        """Return its version and what decides how durable a commit is."""
        with psycopg.connect(self.admin_dsn) as connection:
            row = connection.execute("SHOW server_version").fetchone()
            rows = connection.execute(
                "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name",
                [list(SETTINGS)],
            ).fetchall()
        settings = ", ".join(f"{name}={value}" for name, value in rows)
        return f"PostgreSQL {row[0] if row else '?'} ({settings})"


@contextmanager
def running(dsn: str | None, programs: Path | None) -> Iterator[Server]:
    """Yield the server at ``dsn``, or one of the bench's own that is removed afterwards."""
    remove_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=_disk()))
    folder.chmod(0o711)  # the user whom the server runs as has to get in
    embedded = None if dsn else EmbeddedPostgres(folder / "home", programs=programs)
    try:
        if embedded is not None:
            conninfo = make_conninfo(
                embedded.ensure_running(timeout_seconds=120), dbname="postgres"
            )
            yield Server(conninfo, folder, folder / "home", embedded.status().pid)
        else:
            server = Server(dsn or "", folder, None, None)
            try:
                yield server
            finally:
                for name in list(server.databases):
                    server.drop(make_conninfo(server.admin_dsn, dbname=name))
    finally:
        if embedded is not None:
            embedded.stop()
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers() -> None:
    """Stop and remove what runs left that were killed."""
    for old in _disk().glob(f"{PREFIX}*"):
        pid = old.name.removeprefix(PREFIX).partition("-")[0]
        if old.stat().st_uid != os.geteuid() or not pid.isdigit() or _lives(int(pid)):
            continue
        with suppress(LedgerError):
            EmbeddedPostgres(old / "home").stop()
        shutil.rmtree(old, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _disk() -> Path:
    """Return a folder that any user can enter and that is on a disk; /tmp is often memory."""
    disk = Path("/var/tmp")
    return disk if disk.is_dir() else Path(tempfile.gettempdir())
