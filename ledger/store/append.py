"""The one call that writes: ledger.append, over one connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from psycopg import Connection
from psycopg.errors import InvalidSqlStatementName, error_from_result
from psycopg.generators import execute
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from ledger.domain.log.canonical import microseconds, moment
from ledger.domain.log.envelope import Appended, NewEvent
from ledger.store import arrays

_BINARY: Final = 1


@dataclass(slots=True)
class _Call:
    """A query that takes and gives binary values, prepared when it comes a second time."""

    name: bytes
    query: bytes
    types: Sequence[int]
    in_one_call: bool
    count: int = 0
    formats: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.formats = [_BINARY] * len(self.types)

    def send(self, connection: Connection[Any], values: Sequence[bytes | None]) -> bytes:
        """Return the one value that comes back."""
        with connection.lock:
            try:
                return self._send(connection, values)
            except InvalidSqlStatementName:
                # psycopg forgets all prepared statements, ours too, after a transaction was rolled back.
                self.count = 0
                return self._send(connection, values)

    def _send(self, connection: Connection[Any], values: Sequence[bytes | None]) -> bytes:
        pgconn = connection.pgconn
        self.count += 1
        if self.count == 1:  # a command that appends once needs no prepared statement
            pgconn.send_query_params(self.query, values, self.types, self.formats, _BINARY)
            return bytes(_result(connection).get_value(0, 0) or b"")
        if self.count == 2:
            pgconn.send_prepare(self.name, self.query, self.types)
            _result(connection)
        if not self.in_one_call:
            pgconn.send_query_prepared(self.name, values, self.formats, _BINARY)
            return bytes(_result(connection).get_value(0, 0) or b"")
        # One call into libpq: to wait in Python cost a tenth of a lone append's time. An interrupt is then
        # told after the answer, which is the better moment: it is known what became of the event.
        result = pgconn.exec_prepared(
            self.name,
            values,  # type: ignore[arg-type] -- None is NULL, which its stub leaves out
            self.formats,
            _BINARY,
        )
        if result.status != ExecStatus.TUPLES_OK:
            raise error_from_result(result, encoding="utf-8")
        return bytes(result.get_value(0, 0) or b"")


def _result(connection: Connection[Any]) -> PGresult:
    (result,) = connection.wait(execute(connection.pgconn))
    if result.status not in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}:
        raise error_from_result(result, encoding="utf-8")
    return result


class Appender:
    """Sends events as what they are on the wire.

    A cursor would adapt the parameters and load the columns in general, and for each call anew: for a lone
    event that took longer than what the database does with it.
    """

    def __init__(self, connection: Connection[Any], *, in_one_call: bool = True) -> None:
        """``in_one_call``: faster, and a server that hangs is waited for as long as it hangs."""
        self._connection = connection
        # uuid, text, bigint, text, integer, timestamptz, bytea
        self._one = _Call(
            b"ledger_append_one",
            b"SELECT ledger.append($1, $2, $3, $4, $5, $6, $7)",
            (2950, 25, 20, 25, 23, 1184, 17),
            in_one_call,
        )
        # arrays of the same, boolean
        self._batch = _Call(
            b"ledger_append",
            b"SELECT ledger.append($1, $2, $3, $4, $5, $6, $7, $8)",
            (2951, 1009, 1016, 1009, 1007, 1185, 1001, 16),
            in_one_call,
        )

    def append(self, events: Sequence[NewEvent], *, all_or_nothing: bool = False) -> list[Appended]:
        """Append a batch that is not empty; answer item by item, in order.

        Raises:
            psycopg.Error: it is not known whether anything was appended, if the connection broke.
        """
        if len(events) == 1:
            return [self._append_one(events[0])]
        values = (
            arrays.uuid([event.event_id for event in events]),
            arrays.text([event.stream for event in events]),
            arrays.bigint([event.expected_revision for event in events]),
            arrays.text([event.type for event in events]),
            arrays.integer([event.schema_version for event in events]),
            arrays.timestamptz([event.occurred_at for event in events]),
            arrays.bytea([event.body for event in events]),
            b"\x01" if all_or_nothing else b"\x00",
        )
        record = self._batch.send(self._connection, values)
        outcomes, positions, revisions, times = arrays.columns(record)
        return list(
            map(
                Appended,
                arrays.texts_in(outcomes or b""),
                arrays.bigints_in(positions or b""),
                arrays.bigints_in(revisions or b""),
                arrays.timestamptzs_in(times or b""),
            )
        )

    def _append_one(self, event: NewEvent) -> Appended:
        expected = event.expected_revision
        values = (
            event.event_id.bytes,
            event.stream.encode(),
            None if expected is None else expected.to_bytes(8, "big", signed=True),
            event.type.encode(),
            event.schema_version.to_bytes(4, "big", signed=True),
            microseconds(event.occurred_at).to_bytes(8, "big", signed=True),
            event.body,
        )
        record = self._one.send(self._connection, values)
        outcome, position, revision, recorded_at = arrays.columns(record)
        return Appended(
            (outcome or b"").decode(),
            _number(position),
            _number(revision),
            moment(_number(recorded_at) or 0) if recorded_at is not None else None,
        )


def _number(content: bytes | None) -> int | None:
    return None if content is None else int.from_bytes(content, "big", signed=True)
