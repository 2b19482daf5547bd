"""The one call that writes: ledger.append, over one connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from psycopg import Connection
from psycopg.errors import InvalidSqlStatementName, error_from_result
from psycopg.generators import execute
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from ledger.domain.envelope import Appended, NewEvent
from ledger.store import arrays

_QUERY: Final = b"SELECT ledger.append($1, $2, $3, $4, $5, $6, $7, $8)"
_NAME: Final = b"ledger_append"
# uuid[], text[], bigint[], text[], integer[], timestamptz[], bytea[], boolean
_TYPES: Final = (2951, 1009, 1016, 1009, 1007, 1185, 1001, 16)
_BINARY: Final = 1


class Appender:
    """Sends batches of events as what they are on the wire.

    A cursor would adapt eight parameters and load four columns, in general and for each call anew: for a
    lone event that took longer than what the database does with it.
    """

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._calls = 0

    def append(self, events: Sequence[NewEvent], *, all_or_nothing: bool = False) -> list[Appended]:
        """Append a batch that is not empty; answer item by item, in order.

        Raises:
            psycopg.Error: it is not known whether anything was appended, if the connection broke.
        """
        parameters = (
            arrays.uuid([event.event_id for event in events]),
            arrays.text([event.stream for event in events]),
            arrays.bigint([event.expected_revision for event in events]),
            arrays.text([event.type for event in events]),
            arrays.integer([event.schema_version for event in events]),
            arrays.timestamptz([event.occurred_at for event in events]),
            arrays.bytea([event.body for event in events]),
            b"\x01" if all_or_nothing else b"\x00",
        )
        with self._connection.lock:
            try:
                record = self._send(parameters).get_value(0, 0)
            except InvalidSqlStatementName:
                # psycopg forgets all prepared statements, ours too, after a transaction was rolled back.
                self._calls = 0
                record = self._send(parameters).get_value(0, 0)
        outcomes, positions, revisions, times = arrays.columns(bytes(record or b""))
        return list(
            map(
                Appended,
                arrays.texts_in(outcomes),
                arrays.bigints_in(positions),
                arrays.bigints_in(revisions),
                arrays.timestamptzs_in(times),
            )
        )

    def _send(self, parameters: Sequence[bytes]) -> PGresult:
        pgconn = self._connection.pgconn
        self._calls += 1
        formats = [_BINARY] * len(parameters)
        if self._calls == 1:  # a command that appends once needs no prepared statement
            pgconn.send_query_params(_QUERY, parameters, _TYPES, formats, _BINARY)
        else:
            if self._calls == 2:
                pgconn.send_prepare(_NAME, _QUERY, _TYPES)
                self._result()
            pgconn.send_query_prepared(_NAME, parameters, formats, _BINARY)
        return self._result()

    def _result(self) -> PGresult:
        (result,) = self._connection.wait(execute(self._connection.pgconn))
        if result.status not in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}:
            raise error_from_result(result, encoding="utf-8")
        return result
