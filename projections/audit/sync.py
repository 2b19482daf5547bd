"""Bringing the replica up to the log's end, from wherever it stands.

A file of events is one DuckDB transaction, and where the replica stands is what it holds: killed at any
moment, the next sync goes on after the last transaction. Positions must follow one another without a gap,
and the replica's last event must still be the log's event at that position. The replica is a second
record of the log, so where the two differ, nobody's is corrected: that is told.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ledger import files
from ledger.domain.errors import IntegrityFailure, LedgerError
from ledger.fail_points import reach
from projections.audit import replica
from projections.audit.log_reader import Copied, Head, LogReader
from projections.audit.staging import load, prepare_staging, take_loaded
from projections.audit.texts import sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LOCK_SECONDS_MAX: Final = 60.0

Progress = Callable[[int, int], None]
"""Called with the position reached and the one to reach."""


@dataclass(frozen=True, slots=True)
class Synced:
    """Where the replica stands after a sync."""

    position: int
    recorded_at: datetime | None
    added: int
    """Events that this sync brought."""
    rebuilt: bool = False
    set_aside: Path | None = None
    """A replica that did not agree with the log, kept as evidence."""


def sync(
    dsn: str,
    home: Path,
    *,
    rebuild: bool = False,
    progress: Progress | None = None,
    lock_timeout_seconds: float = LOCK_SECONDS_MAX,
) -> Synced:
    """Bring the replica in ``home`` up to the end of the log at ``dsn``.

    A replica from another version of this program is built anew, beside the old one. With ``rebuild`` that
    is done in any case; a replica that disagrees with the log is then kept under another name.

    Raises:
        LedgerUnreachable, SchemaMissing: the log can't be read; the replica is as it was, or further.
        IntegrityFailure: the log has a hole, or is no continuation of what the replica holds.
        OperationInProgress: another process syncs, or (`ReplicaInUse`) reads the replica.
        FileNotRead: the file is no replica, or broken.
    """
    path = replica.replica_path(home)
    scratch = home / "audit.tmp"
    lock = files.exclusive_lock(
        home / "audit.lock", timeout_seconds=lock_timeout_seconds, what="rollout sql, synchronising"
    )
    with lock, closing(LogReader(dsn)) as log, replica.told(path):
        with files.told_as_not_written(scratch):
            shutil.rmtree(scratch, ignore_errors=True)  # What a killed sync left.
            scratch.mkdir(mode=0o700)
        try:
            if not path.exists():
                _make(path, scratch)
            if not rebuild:
                with replica.open_for_writing(path, scratch=scratch) as connection:
                    if replica.is_current(connection):
                        return _catch_up(connection, log, scratch, progress)
            return _build_anew(path, log, scratch, progress)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _make(path: Path, scratch: Path) -> None:
    """Make an empty replica, whole or not at all: half of a file could not be gone on with."""
    new = _beside(path)
    with replica.open_for_writing(new, scratch=scratch):
        pass
    _put_in_place(new, path)


def _beside(path: Path) -> Path:
    """Return a name to make a replica under; what was left there is removed."""
    new = path.with_name(f"{path.name}.new")
    replica.remove(new)
    return new


def _put_in_place(new: Path, path: Path) -> None:
    # Without its WAL an old one is whole, only older; beside a new one the old WAL would break it.
    replica.wal_path(path).unlink(missing_ok=True)
    new.replace(path)
    files.sync_folder(path.parent)


def _build_anew(path: Path, log: LogReader, scratch: Path, progress: Progress | None) -> Synced:
    new = _beside(path)
    with replica.open_for_writing(new, scratch=scratch) as connection:
        built = _catch_up(connection, log, scratch, progress)
        connection.execute("CHECKPOINT")  # All of it into the one file that is about to be renamed.
    kept = _disagreeing(path, log)
    if kept is not None:
        path.replace(kept)
        if replica.wal_path(path).exists():
            replica.wal_path(path).replace(replica.wal_path(kept))
    _put_in_place(new, path)
    return Synced(built.position, built.recorded_at, built.added, rebuilt=True, set_aside=kept)


def _disagreeing(path: Path, log: LogReader) -> Path | None:
    """Return a name to keep a replica under that says other than the log, or None if it doesn't."""
    if not path.exists():
        return None
    import duckdb

    try:
        with replica.connect(path, read_only=True, config={}) as connection:
            old = replica.head(connection)
    except (LedgerError, duckdb.Error):
        return None  # It can't be read, so it is no evidence of anything.
    if log.chain_at(old.position) == old.chain:
        return None
    return path.with_name(f"audit-{old.position}-{old.chain.hex()[:8]}.duckdb")


def _catch_up(
    connection: DuckDBPyConnection, log: LogReader, scratch: Path, progress: Progress | None
) -> Synced:
    start = replica.head(connection)
    end = log.head()
    _check_continuity(start, end, log)
    reached = start.position
    if end.position > reached:
        prepare_staging(connection)
        # Closed by hand: a generator that an error left behind would still be using the connection.
        with (
            closing(log.copy(reached, end.position, scratch)) as copied,
            closing(_loaded_ahead(connection, copied)) as loaded,
        ):
            for rows in loaded:
                _take(connection, rows, reached)
                reached += rows
                if progress is not None:
                    progress(reached, end.position)
        if reached != end.position:
            raise _hole(reached + 1, None)
    return Synced(end.position, end.recorded_at, end.position - start.position)


def _check_continuity(start: Head, end: Head, log: LogReader) -> None:
    if log.chain_at(start.position) == start.chain:
        return
    what = (
        f"The log ends at position {end.position}, but the audit replica holds {start.position} events."
        if end.position < start.position
        else f"The log's event {start.position} is not the one that the audit replica has copied."
    )
    raise IntegrityFailure(
        f"{what} Either the log was changed or put back to an older state, "
        "or this replica is of another ledger.",
        hint="First find out which: rollout verify, and the checkpoints that you kept. Then "
        "rollout sql --rebuild makes a new replica and keeps this one beside it as evidence; "
        "rollout sql --no-sync reads it as it is.",
    )


def _loaded_ahead(connection: DuckDBPyConnection, copied: Iterator[Copied]) -> Generator[int]:
    """Yield the number of events in `staging.fresh` whenever it holds the next ones.

    While they are taken into the replica, Postgres, Python and DuckDB fetch those that follow.
    """
    with connection.cursor() as ahead, ThreadPoolExecutor(1, "copy") as pool:
        ahead.execute(sql("macros.sql"))
        following = pool.submit(_load_next, ahead, copied)
        while (rows := following.result()) is not None:
            take_loaded(connection)
            following = pool.submit(_load_next, ahead, copied)
            yield rows


def _load_next(ahead: DuckDBPyConnection, copied: Iterator[Copied]) -> int | None:
    """Bring the next file into `staging.incoming`; return how many events it has, None after the last."""
    file = next(copied, None)
    if file is None:
        return None
    reach("sync.after_copy")
    load(ahead, file)
    return file.rows


def _take(connection: DuckDBPyConnection, rows: int, after: int) -> None:
    """Add the events of `staging.fresh` to the replica, with their facts, all or none."""
    import duckdb

    try:
        hole = connection.execute(sql("hole.sql"), {"after": after}).fetchone()
        if hole is not None:
            raise _hole(*hole)
        connection.execute("BEGIN")
        connection.execute(sql("append.sql"))
        reach("sync.before_commit")
        connection.execute("COMMIT")
    except duckdb.Error as error:
        raise LedgerError(
            f"Events {after + 1} to {after + rows} could not be copied: {str(error).splitlines()[0]}",
            hint="Check the free disk space in the home folder, then try again; rollout doctor names it.",
        ) from error
    reach("sync.after_commit")


def _hole(missing: int, found: int | None) -> IntegrityFailure:
    after = (
        f"the next one found is {found}"
        if found is not None
        else "it ends before its own last position"
    )
    return IntegrityFailure(
        f"Position {missing} is missing from the log: {after}.", hint="Run: rollout verify"
    )
