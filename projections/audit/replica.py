"""The replica's file: one process writes it at a time, or any number read it."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ledger.domain.errors import FileNotRead, FileNotWritten, FileProblem, OperationInProgress
from projections.audit.log_reader import GENESIS, Head
from projections.audit.texts import layout, sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FILE_NAME: Final = "audit.duckdb"
_HAS_LAYOUT: Final = (
    "SELECT 1 FROM information_schema.tables WHERE table_schema = 'log' AND table_name = 'layout'"
)

_WRITER: Final[dict[str, Any]] = {
    "memory_limit": "1GB",
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "python_enable_replacements": False,
    # What is not yet in a row group waits in the WAL; each checkpoint writes the last row group anew.
    "wal_autocheckpoint": "256MB",
}


class ReplicaInUse(OperationInProgress):
    """Another process reads the replica, so that it can't be written, or writes it."""

    code = "L304"


def replica_path(home: Path) -> Path:
    """Return where the replica of the ledger in ``home`` lies."""
    return home / FILE_NAME


def wal_path(replica: Path) -> Path:
    """Return where DuckDB keeps what is committed and not yet in the file itself."""
    return replica.with_name(f"{replica.name}.wal")


@contextmanager
def open_for_writing(path: Path, *, scratch: Path) -> Generator[DuckDBPyConnection]:
    """Open the replica at ``path``; where there is no file, an empty one. Only its owner may read it.

    Raises:
        ReplicaInUse: another process has it open.
        FileNotRead: it is no replica, or a broken one.
    """
    previous = os.umask(0o077)
    is_new = not path.exists()
    try:
        connection = connect(
            path, read_only=False, config={**_WRITER, "temp_directory": str(scratch)}
        )
        try:
            if is_new:
                _create(connection)
            elif not connection.execute(_HAS_LAYOUT).fetchone():
                raise unreadable(path, "it is a DuckDB file, but holds something else")
            yield connection
        finally:
            connection.close()
    finally:
        os.umask(previous)


def connect(path: Path, *, read_only: bool, config: dict[str, Any]) -> DuckDBPyConnection:
    """Open a DuckDB file; its errors become ours.

    Raises:
        ReplicaInUse: another process has it open in a way that excludes this one.
        FileNotRead: it is no replica, or a broken one.
    """
    import duckdb

    try:
        return duckdb.connect(str(path), read_only=read_only, config=config)
    except duckdb.Error as error:
        text = str(error).splitlines()[0]
        if "Could not set lock" in text or "Conflicting lock" in text:
            raise ReplicaInUse(
                f"{path} is in use by another process.",
                hint="Wait for it to finish, then try again.",
            ) from None
        raise unreadable(path, text) from None


def unreadable(path: Path, reason: str) -> FileProblem:
    """Return the error for a replica that DuckDB can't make sense of, or has no room for."""
    if "Could not write" in reason:
        return FileNotWritten(
            f"The audit replica {path} can't be written: {reason}",
            hint="Make room on the disk, then try again; a sync goes on where it was.",
        )
    return FileNotRead(
        f"The audit replica {path} can't be read: {reason}",
        hint="It can be built anew from the log at any time: rollout sql --rebuild",
    )


def is_current(connection: DuckDBPyConnection) -> bool:
    """Tell whether the replica was built by the SQL of this program."""
    return connection.execute("SELECT sha256 FROM log.layout").fetchall() == [(layout(),)]


def head(connection: DuckDBPyConnection) -> Head:
    """Return the last event that the replica holds."""
    row = connection.execute(
        "SELECT position, chain, recorded_at FROM log.event "
        "WHERE position = (SELECT max(position) FROM log.event)"
    ).fetchone()
    return (
        Head(row[0], bytes(row[1]), row[2].replace(tzinfo=UTC)) if row else Head(0, GENESIS, None)
    )


@contextmanager
def told(path: Path) -> Generator[None]:
    """Turn an error of the engine that no question caused into a sentence about the file."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise unreadable(path, str(error).splitlines()[0]) from error


def remove(path: Path) -> None:
    """Remove a replica that nobody needs, with its WAL."""
    for file in (wal_path(path), path):
        with suppress(FileNotFoundError):
            file.unlink()


def _create(connection: DuckDBPyConnection) -> None:
    connection.execute("BEGIN")
    connection.execute(sql("schema.sql"))
    connection.execute(sql("views.sql"))
    connection.execute("INSERT INTO log.layout VALUES ($1)", [layout()])
    connection.execute("COMMIT")
    connection.execute("CHECKPOINT")  # Into the one file, which may be about to be renamed.
