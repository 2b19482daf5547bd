"""The event store on PostgreSQL: one function in, plain reads out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, TypeVar
from uuid import UUID

import psycopg
from psycopg import Connection, errors as pg_errors, sql

from ledger.domain.errors import LedgerError, LedgerUnreachable, RightMissing, SchemaMissing
from ledger.domain.log import canonical
from ledger.domain.log.envelope import Appended, NewEvent, Recorded
from ledger.store.append import Appender
from ledger.store.base import Head, checked, within_calendar
from ledger.store.connect import NoAnswer, open_connection

T = TypeVar("T")

COLUMNS: Final = (
    "position, revision, schema_version, event_id, occurred_at, recorded_at, stream, type, "
    "body, body_hash, chain"
)
PAGE_ROWS: Final = 2000
RECONNECTS_MAX: Final = 3
ANSWER_SECONDS: Final = 60.0
"""How long a statement may take. What a store asks is short: a server that takes longer hangs."""
BLOBS_AT_ONCE: Final = 500
RESTORING: Final = "LR006"
BLOB_BYTES_AT_ONCE: Final = 8 * 2**20


class PostgresStore:
    """An event store over one connection, which it opens when first needed and again when it was lost.

    Not for use by several threads at once; `ledger.store.group_commit` is.
    """

    def __init__(
        self,
        dsn: str,
        *,
        role: str = "ledger_writer",
        timeout_seconds: int = 10,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._dsn = dsn
        self._role = role
        self._timeout_seconds = timeout_seconds
        self._answer_seconds = answer_seconds
        self._connection: Connection[tuple[Any, ...]] | None = None
        self._appender: Appender | None = None

    @property
    def connection(self) -> Connection[tuple[Any, ...]]:
        """The connection, opened if it is not open."""
        if self._connection is None or self._connection.closed:
            self._connection = open_connection(
                self._dsn,
                role=self._role,
                timeout_seconds=self._timeout_seconds,
                answer_seconds=self._answer_seconds,
            )
            self._appender = None
        return self._connection

    def close(self) -> None:
        """Close the connection if there is one."""
        if self._connection is not None:
            self._connection.close()

    def _run(self, work: Callable[[Connection[tuple[Any, ...]]], T]) -> T:
        """Do ``work``, again on a new connection when the old one broke under it.

        Safe for appends too: an event id that did get through answers with the position it has.
        """
        for attempt in range(1, RECONNECTS_MAX + 1):
            try:
                return work(self.connection)
            except psycopg.Error as error:
                # Anything else (a timeout, a server that hangs, a full disk) would only happen again.
                lost = self._connection is not None and self._connection.closed
                if not lost or isinstance(error, NoAnswer) or attempt == RECONNECTS_MAX:
                    raise translated(error) from error
        raise AssertionError  # the loop returns or raises

    def append(self, events: Sequence[NewEvent], *, all_or_nothing: bool = False) -> list[Appended]:
        """See `EventStore.append`."""
        if not events:
            return []
        return self._run(
            lambda c: self._appender_of(c).append(events, all_or_nothing=all_or_nothing)
        )

    def _appender_of(self, connection: Connection[tuple[Any, ...]]) -> Appender:
        if self._appender is None:
            in_one_call = self._answer_seconds >= ANSWER_SECONDS
            self._appender = Appender(connection, in_one_call=in_one_call)
        return self._appender

    def head(self) -> Head:
        """See `EventStore.head`."""
        row = self._one(
            "SELECT position, chain, recorded_at FROM ledger.event ORDER BY position DESC LIMIT 1"
        )
        return Head(*row) if row is not None else Head(0, canonical.GENESIS, None)

    def read(self, after: int = 0, up_to: int | None = None) -> Iterator[Recorded]:
        """See `EventStore.read`. Page by page: memory does not grow with the log."""
        end = up_to if up_to is not None else self.head().position
        return checked(self._pages("position", "position <= %s", end, after), after)

    def read_stream(
        self, stream: str, after_revision: int = 0, up_to_position: int | None = None
    ) -> Iterator[Recorded]:
        """See `EventStore.read_stream`."""
        end = up_to_position if up_to_position is not None else self.head().position
        return self._pages(
            "revision", "stream = %s AND position <= %s", stream, end, after_revision
        )

    def _pages(self, key: str, condition: str, *arguments: Any) -> Iterator[Recorded]:
        """Yield the rows that meet ``condition`` and have a greater ``key`` than the last argument.

        No transaction stays open between two pages: a caller that appended while it reads, and then
        left early, would roll its own event back.
        """
        condition = f"{condition} AND {key} > %s ORDER BY {key} LIMIT {PAGE_ROWS}"
        *fixed, after = arguments
        while True:
            rows = self._rows(condition, (*fixed, after))
            for row in rows:
                yield Recorded(*row)
            if len(rows) < PAGE_ROWS:
                return
            after = rows[-1][0 if key == "position" else 1]

    def first_revision_since(self, stream: str, moment: datetime) -> int:
        """See `EventStore.first_revision_since`."""
        row = self._one(
            "SELECT revision FROM ledger.event WHERE stream = %s ORDER BY revision DESC LIMIT 1",
            (stream,),
        )
        low, high = 1, (row[0] if row is not None else 0) + 1
        while (
            low < high
        ):  # times of recording never go back along a stream, nor does a rehearsal's clock
            middle = (low + high) // 2
            row = self._one(
                "SELECT greatest(recorded_at, occurred_at) >= %s FROM ledger.event "
                "WHERE stream = %s AND revision = %s",
                (moment, stream, middle),
            )
            if row is not None and row[0]:
                high = middle
            else:
                low = middle + 1
        return low

    def get(self, key: int | UUID) -> Recorded | None:
        """See `EventStore.get`."""
        rows = self._rows(f"{'event_id' if isinstance(key, UUID) else 'position'} = %s", (key,))
        return Recorded(*rows[0]) if rows else None

    def _rows(self, condition: str, bound: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """Return the events that meet ``condition``, whatever times they hold."""

        def select(columns: str, connection: Connection[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
            query = _q(f"SELECT {columns} FROM ledger.event WHERE {condition}")  # noqa: S608 -- constants
            return connection.execute(query, bound, binary=True).fetchall()

        def work(connection: Connection[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
            try:
                return select(COLUMNS, connection)
            except psycopg.DataError:
                return select(within_calendar(COLUMNS), connection)

        return self._run(work)

    def known(self, event_ids: Sequence[UUID]) -> set[UUID]:
        """See `EventStore.known`."""
        if not event_ids:
            return set()
        query = "SELECT event_id FROM ledger.event WHERE event_id = ANY (%b)"
        arguments = (list(event_ids),)
        rows = self._run(lambda c: c.execute(_q(query), arguments, binary=True).fetchall())
        return {row[0] for row in rows}

    def put_blob(self, content: bytes) -> str:
        """See `EventStore.put_blob`."""
        row = self._one("SELECT encode(ledger.put_blob(%b), 'hex')", (content,))
        return str(row[0]) if row is not None else ""

    def put_blobs(self, contents: Iterable[bytes]) -> None:
        """See `EventStore.put_blobs`."""
        batch: list[bytes] = []
        size = 0
        for content in contents:
            batch.append(content)
            size += len(content)
            if len(batch) == BLOBS_AT_ONCE or size > BLOB_BYTES_AT_ONCE:
                self._put_batch(batch)
                batch, size = [], 0
        if batch:
            self._put_batch(batch)

    def _put_batch(self, contents: list[bytes]) -> None:
        # In one order for all: two that keep the same blobs would otherwise wait for each other.
        query = "SELECT count(ledger.put_blob(content)) FROM unnest(%b) AS content"
        self._one(query, (sorted(contents),))

    def get_blob(self, sha256: str) -> bytes | None:
        """See `EventStore.get_blob`."""
        row = self._one("SELECT bytes FROM ledger.blob WHERE sha256 = decode(%s, 'hex')", (sha256,))
        return bytes(row[0]) if row is not None else None

    def blobs(self) -> Iterator[bytes]:
        """Yield all blobs, in order of their hash; those that come meanwhile may be left out."""
        after = b""
        query = _q(
            "SELECT sha256, bytes FROM ledger.blob WHERE sha256 > %s ORDER BY sha256 LIMIT %s"
        )
        while True:
            bound = (after, BLOBS_AT_ONCE)
            rows = self._run(lambda c: c.execute(query, bound, binary=True).fetchall())  # noqa: B023 -- run at once
            yield from (bytes(content) for _, content in rows)
            if len(rows) < BLOBS_AT_ONCE:
                return
            after = rows[-1][0]

    def systems(self) -> list[str]:
        """Return the names of the systems that the log knows, sorted."""
        # A loose index scan: from stream to stream, so that the log's length does not matter.
        query = """
            WITH RECURSIVE found AS (
                (SELECT stream FROM ledger.event WHERE stream >= 'system:' ORDER BY stream LIMIT 1)
                UNION ALL
                SELECT (SELECT e.stream FROM ledger.event AS e WHERE e.stream > found.stream
                        ORDER BY e.stream LIMIT 1)
                    FROM found WHERE found.stream LIKE 'system:%'
            )
            SELECT substr(stream, 8) FROM found WHERE stream LIKE 'system:%' ORDER BY 1"""
        return [row[0] for row in self._run(lambda c: c.execute(_q(query)).fetchall())]

    def try_lock(self, name: str) -> bool:
        """See `EventStore.try_lock`."""
        row = self._one("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (name,))
        return row is not None and bool(row[0])

    def unlock(self, name: str) -> None:
        """See `EventStore.unlock`."""
        self._one("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (name,))

    def schema_revision(self) -> str | None:
        """Return the migration that the database is at, or None when there is no ledger."""
        with contextlib.suppress(SchemaMissing):
            row = self._one("SELECT max(version_num) FROM ledger.alembic_version")
            return str(row[0]) if row is not None and row[0] is not None else None
        return None

    def restored_up_to(self) -> int | None:
        """Return the position that a restore under way has to come to, or None: the log is whole."""
        row = self._one("SELECT position FROM ledger.restoring")
        return int(row[0]) if row is not None else None

    def require_whole(self) -> None:
        """Return if the log is whole.

        Raises:
            LedgerUnreachable: a restore is under way, or was interrupted.
        """
        end = self.restored_up_to()
        if end is not None:
            raise LedgerUnreachable(
                f"A restore up to #{end} is under way here, or was interrupted: this is not all of the log.",
                hint="Repeat the restore: it goes on where it was.",
            )

    def _one(self, query: str, arguments: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        return self._run(lambda c: c.execute(_q(query), arguments, binary=True).fetchone())


def _q(query: str) -> sql.SQL:
    """Mark a query put together from this module's constants as the literal that it is."""
    literal: LiteralString = query  # type: ignore[assignment] -- see above
    return sql.SQL(literal)


def translated(error: psycopg.Error) -> LedgerError:
    """Return what a psycopg error means to a person."""
    line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if isinstance(
        error, pg_errors.UndefinedTable | pg_errors.UndefinedFunction | pg_errors.InvalidSchemaName
    ):
        return SchemaMissing(
            "This database holds no ledger yet, or an older one.", hint="Run: rollout init"
        )
    if isinstance(error, pg_errors.InsufficientPrivilege):
        return RightMissing(
            f"This login may not do that: {line}.",
            hint="As an administrator: GRANT ledger_writer TO <login>",
        )
    if error.sqlstate == RESTORING:
        return LedgerUnreachable(
            "A restore into this ledger is under way, and nothing is appended meanwhile.",
            hint="Repeat the restore: it goes on where it was.",
        )
    if isinstance(error, pg_errors.LockNotAvailable):
        return LedgerUnreachable(
            "Another writer has held the log for over ten seconds.",
            hint="Look for a stuck session in pg_stat_activity, then try again.",
        )
    if isinstance(error, pg_errors.QueryCanceled):
        return LedgerUnreachable(
            "Postgres did not answer in time.", hint="Try again; nothing is recorded twice."
        )
    if isinstance(error, NoAnswer):
        return LedgerUnreachable(
            f"Postgres hangs: {error}.", hint="Look at its machine; nothing is recorded twice."
        )
    if isinstance(error, psycopg.OperationalError):
        return LedgerUnreachable(
            f"Postgres went away: {line}", hint="Try again; nothing is recorded twice."
        )
    return LedgerError(f"Postgres reported: {line}")
