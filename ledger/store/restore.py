"""Putting events back into an empty ledger as they were recorded: the owner's way in, for restores only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg import Connection
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus

from ledger.domain.errors import (
    IntegrityFailure,
    LedgerError,
    LedgerUnreachable,
    Refused,
    RightMissing,
)
from ledger.domain.log.envelope import Recorded
from ledger.store import arrays
from ledger.store.connect import OWNER, open_connection
from ledger.store.postgres import PostgresStore, translated

NOT_EMPTY: Final = "LR004"
ANOTHER: Final = "LR005"
NOT_AS_RECORDED: Final = "LR007"
_BINARY: Final = 1
_QUERY: Final = b"SELECT ledger.restore($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
# Arrays of: bigint, bigint, integer, uuid, timestamptz, timestamptz, text, text, bytea, bytea
_TYPES: Final = (1016, 1016, 1007, 2951, 1185, 1185, 1009, 1009, 1001, 1001)


class Restorer:
    """A connection as ledger_owner, to one ledger that is empty or has been restored in part.

    The database recomputes every hash (``ledger.restore``), so that nothing gets in by this way which was
    not recorded by the other one.
    """

    def __init__(self, dsn: str) -> None:
        """Connect.

        Raises:
            LedgerUnreachable, SchemaMissing: and why.
            RightMissing: this login may not act as ledger_owner.
        """
        self._connection: Final[Connection[tuple[Any, ...]]] = open_connection(dsn, role=OWNER)
        self._blobs: Final = PostgresStore(dsn, role=OWNER)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()
        self._blobs.close()

    def check(self, last: int, chain: bytes) -> None:
        """Raise what `begin` would raise, and begin nothing."""
        with self._connection.transaction(force_rollback=True):
            _ = self.begin(last, chain)

    def begin(self, last: int, chain: bytes) -> int:
        """Begin a restore up to position ``last`` with the chain value ``chain``, or go on with it.

        Returns the position that it has come to; ``last`` if that very log was restored before.

        Raises:
            Refused: the ledger holds something else.
        """
        if self._stands_at(last, chain):
            return last
        try:
            row = self._connection.execute(
                "SELECT ledger.begin_restore(%s, %s)", (last, chain), binary=True
            ).fetchone()
        except psycopg.Error as error:
            raise _told(error) from error
        return int(row[0]) if row else 0

    def _stands_at(self, last: int, chain: bytes) -> bool:
        query = (
            "SELECT chain = %s AND NOT EXISTS (SELECT FROM ledger.restoring) "
            "FROM ledger.event WHERE position = %s"
        )
        try:
            row = self._connection.execute(query, (chain, last), binary=True).fetchone()
        except psycopg.Error as error:
            raise _told(error) from error
        return row is not None and bool(row[0])

    def put_blobs(self, contents: Sequence[bytes]) -> None:
        """Keep the bytes that events name."""
        self._blobs.put_blobs(contents)

    def put(self, batch: Sequence[Recorded]) -> int:
        """Put a batch back, as a whole or not at all; return the new end of the log.

        Raises:
            IntegrityFailure: it does not follow from what is there, or is not what was recorded.
            LedgerUnreachable: the server went away.
        """
        values = (
            arrays.bigint([event.position for event in batch]),
            arrays.bigint([event.revision for event in batch]),
            arrays.integer([event.schema_version for event in batch]),
            arrays.uuid([event.event_id for event in batch]),
            arrays.timestamptz([event.occurred_at for event in batch]),
            arrays.timestamptz([event.recorded_at for event in batch]),
            arrays.text([event.stream for event in batch]),
            arrays.text([event.type for event in batch]),
            arrays.bytea([event.chain for event in batch]),
            arrays.bytea([event.body for event in batch]),
        )
        result = self._connection.pgconn.exec_params(
            _QUERY, values, _TYPES, [_BINARY] * len(values), _BINARY
        )
        if result.status != ExecStatus.TUPLES_OK:
            error = error_from_result(result, encoding="utf-8")
            if (
                self._connection.pgconn.status != ConnStatus.OK
            ):  # its server crashed: a full disk does that
                raise LedgerUnreachable(
                    f"Postgres went away: {str(error).splitlines()[0]}.",
                    hint="Look at its disk and its log, then repeat the restore: it goes on where it was.",
                ) from error
            raise _told(error)
        return int.from_bytes(result.get_value(0, 0) or b"", "big")


def _told(error: psycopg.Error) -> LedgerError:
    """Return what an error of the restore functions means to a person."""
    said = error.diag.message_primary or str(error)
    if error.sqlstate == NOT_EMPTY:
        return Refused(
            f"Only an empty ledger can be restored: {said}.",
            hint="Name a new home (ROLLOUT_HOME) or a new database (ROLLOUT_DSN), and restore before "
            "any other command there: the first one begins a ledger.",
        )
    if error.sqlstate == ANOTHER:
        return Refused(
            f"This can't be restored here: {said}.",
            hint="Finish that one, or name a new home (ROLLOUT_HOME) or a new database (ROLLOUT_DSN).",
        )
    if error.sqlstate == NOT_AS_RECORDED:
        return IntegrityFailure(
            f"The database refused the restore: {said}.",
            hint="Use another backup; what was put back before that is as it was recorded.",
        )
    translation = translated(error)
    if isinstance(translation, RightMissing):
        return RightMissing(
            translation.message, hint="As an administrator: GRANT ledger_owner TO <login>"
        )
    return translation
