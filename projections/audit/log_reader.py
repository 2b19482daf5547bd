"""The log as the auditor sees it: rows of one table, read as the role that may only read."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

import psycopg
from psycopg import errors as pg_errors, sql

from ledger import files
from ledger.domain.errors import LedgerUnreachable, SchemaMissing, SchemaNewer
from ledger.store.connect import AUDITOR, open_connection

GENESIS: Final = bytes(32)
"""The chain value before position 1."""

BATCH_EVENTS: Final = 122_880
"""One row group of DuckDB: a full one is written once, a smaller one is written again when it grows."""

FILE_BYTES_MAX: Final = 256 * 1024 * 1024
LINES_AT_ONCE: Final = 32
BLOBS_AT_ONCE: Final = 200

# Text, because DuckDB reads it in parallel; its backslashes are undone in load.sql.
_COPY: Final = sql.SQL("""
    COPY (
        SELECT format, position, revision, schema_version, event_id,
               occurred_at AT TIME ZONE 'UTC', recorded_at AT TIME ZONE 'UTC',
               body_hash, stream, type, chain, body
            FROM ledger.event WHERE position BETWEEN {} AND {} ORDER BY position
    ) TO STDOUT (FORMAT text)
""")


@dataclass(frozen=True, slots=True)
class Head:
    """The last event of a log or a replica. Position 0 and `GENESIS` before the first one."""

    position: int
    chain: bytes
    recorded_at: datetime | None
    """Aware, in UTC."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A file of consecutive rows; ``longest`` is the size of its longest line in bytes."""

    path: Path
    rows: int
    longest: int


class LogReader:
    """A connection to the log that can only read it."""

    def __init__(self, dsn: str) -> None:
        """Connect.

        Raises:
            LedgerUnreachable, SchemaMissing: and why.
        """
        self._connection: Final = open_connection(dsn, role=AUDITOR)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def head(self) -> Head:
        """Return the end of the log."""
        query = (
            "SELECT position, chain, recorded_at FROM ledger.event ORDER BY position DESC LIMIT 1"
        )
        with _told():
            row = self._connection.execute(query).fetchone()
        return Head(row[0], bytes(row[1]), row[2]) if row else Head(0, GENESIS, None)

    def chain_at(self, position: int) -> bytes | None:
        """Return the chain value at ``position``; `GENESIS` at 0, None where there is no event."""
        if position == 0:
            return GENESIS
        query = "SELECT chain FROM ledger.event WHERE position = %s"
        with _told():
            row = self._connection.execute(query, [position]).fetchone()
        return bytes(row[0]) if row else None

    def copy(self, after: int, up_to: int, folder: Path) -> Generator[Copied]:
        """Write the events after one position up to another into files in ``folder``, one after the other.

        A file is at most `BATCH_EVENTS` events or about `FILE_BYTES_MAX`. Its reader removes it.
        """
        number = 0
        for first in range(after + 1, up_to + 1, BATCH_EVENTS):
            last = min(first + BATCH_EVENTS - 1, up_to)
            query = _COPY.format(sql.Literal(first), sql.Literal(last))
            with _told(), self._connection.cursor().copy(query) as rows:
                lines = iter(rows)
                while True:
                    number += 1
                    copied = _write(lines, folder / f"{number}.copy")
                    if copied.rows == 0:
                        copied.path.unlink()
                        break
                    yield copied

    def ledger_id(self) -> str | None:
        """Return the id that the ledger gave itself in its first event, if it did."""
        query = "SELECT body FROM ledger.event WHERE position = 1 AND type = 'LedgerCreated'"
        with _told():
            row = self._connection.execute(query).fetchone()
        try:
            return str(json.loads(row[0])["data"]["ledger_id"]) if row else None
        except (ValueError, KeyError, TypeError):
            return None  # its body was changed: verification says so

    def copy_blobs(self, names: Sequence[str], path: Path) -> Copied:
        """Write the bytes of those ``names`` (SHA-256 in hex) that there are: a line has both in hex."""
        query = (
            "SELECT encode(sha256, 'hex') || chr(9) || encode(bytes, 'hex') || chr(10) "
            "FROM ledger.blob WHERE sha256 = ANY (%s) ORDER BY sha256"
        )
        rows = longest = 0
        with files.told_as_not_written(path), path.open("w", encoding="ascii") as file:
            for begin in range(0, len(names), BLOBS_AT_ONCE):
                keys = [bytes.fromhex(name) for name in names[begin : begin + BLOBS_AT_ONCE]]
                with _told():
                    lines = self._connection.execute(query, [keys])
                    for (line,) in lines:
                        rows += 1
                        longest = max(longest, file.write(line))
        return Copied(path, rows, longest)


def _write(lines: Iterator[bytes | bytearray | memoryview], path: Path) -> Copied:
    """Write lines until there are no more, or the file is large enough."""
    rows = size = longest = 0
    with files.told_as_not_written(path), path.open("wb") as file:
        # By the dozen: a step of Python for each line would cost more than Postgres' own work.
        while size < FILE_BYTES_MAX and (some := list(islice(lines, LINES_AT_ONCE))):
            size += file.write(b"".join(some))
            rows += len(some)
            longest = max(longest, *map(len, some))
    return Copied(path, rows, longest)


@contextmanager
def _told() -> Generator[None]:
    """Turn the driver's errors into a sentence. What they say holds no password."""
    try:
        yield
    except (pg_errors.UndefinedTable, pg_errors.InvalidSchemaName):
        raise SchemaMissing(
            "This database holds no ledger yet.", hint="Run: rollout init"
        ) from None
    except pg_errors.UndefinedColumn:
        raise SchemaNewer(
            "This ledger's tables are not those that this program knows.",
            hint="Upgrade rollout-ledger, or migrate the ledger: rollout init",
        ) from None
    except pg_errors.InsufficientPrivilege as error:
        raise LedgerUnreachable(
            f"The database refused: {_first_line(error)}",
            hint="The ledger's roles are granted by: rollout init",
        ) from None
    except psycopg.Error as error:
        raise LedgerUnreachable(
            f"Postgres went away: {_first_line(error)}",
            hint="Try again; a sync goes on where it was.",
        ) from None


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
