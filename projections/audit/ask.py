"""Asking the replica: a checked statement, a bound on its time, rows as they come."""

from __future__ import annotations

import atexit
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ledger.domain.errors import BadInput, LedgerError, TimedOut
from projections.audit import shut_in

if TYPE_CHECKING:
    import duckdb
    from duckdb import DuckDBPyConnection, DuckDBPyRelation, Statement

T = TypeVar("T")

ROWS_AT_ONCE: Final = 2048
INTERRUPTED: Final = 130
GRACE_SECONDS: Final = 5.0
"""How long an interrupted engine may take to stop."""

Parameters = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one statement. The rows stream: go through them once, before the next question."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    """DuckDB's names: VARCHAR, TIMESTAMP, JSON, STRUCT(…), …"""
    rows: Iterator[tuple[Any, ...]]


class Questioner:
    """Puts questions to a shut-in connection. ``timeout_seconds`` bounds the engine's work on each."""

    def __init__(self, connection: DuckDBPyConnection, *, timeout_seconds: float) -> None:
        self._connection: Final = connection
        self._timeout_seconds: Final = timeout_seconds
        self._left_seconds: float = timeout_seconds

    def statements(self, text: str) -> list[Statement]:
        """Return the statements of ``text``, checked to do nothing but read.

        Raises:
            BadInput: they can't be parsed, or do something else.
        """
        self._left_seconds = self._timeout_seconds
        return self._within(lambda: shut_in.checked(self._connection, text))

    def ask(self, statement: Statement, parameters: Parameters | None = None) -> Answer:
        """Run one statement that `statements` has checked.

        Raises:
            BadInput: it names what there isn't, lacks a parameter, or can't be evaluated.
            TimedOut: it took too long; also while its rows are being read.
        """
        self._left_seconds = self._timeout_seconds
        given = _bound(statement, parameters or {})
        relation = self._relation(statement, given)
        if relation is not None:
            types = [str(type_) for type_ in relation.types]
            if any("TIMESTAMP WITH TIME ZONE" in type_ for type_ in types):
                return self._in_utc(relation, types)
        result = self._within(lambda: self._connection.execute(statement, given))
        columns = tuple(column[0] for column in result.description)
        types = tuple(str(column[1]) for column in result.description)
        return Answer(columns, types, self._fetched(result))

    def write_parquet(
        self, statement: Statement, parameters: Parameters | None, path: Path
    ) -> None:
        """Let the engine write an answer to ``path``, the one file that its connection may write.

        Raises:
            BadInput, TimedOut: as `ask`.
        """
        self._left_seconds = self._timeout_seconds
        relation = self._relation(statement, _bound(statement, parameters or {}))
        if relation is None:
            raise BadInput(
                "Only the rows of a query can be written as Parquet.", hint="Leave EXPLAIN out."
            )
        self._within(lambda: relation.write_parquet(str(path), compression="zstd"))

    def _relation(self, statement: Statement, given: dict[str, Any]) -> DuckDBPyRelation | None:
        from duckdb import StatementType

        if statement.type != StatementType.SELECT:
            return None
        return self._within(lambda: self._connection.sql(statement, params=given))

    def _in_utc(self, relation: DuckDBPyRelation, types: Sequence[str]) -> Answer:
        """Return an answer whose times with a zone, which need a package in Python, are UTC without one."""
        quoted = ['"' + name.replace('"', '""') + '"' for name in relation.columns]
        zoned = "TIMESTAMP WITH TIME ZONE"
        casts = ", ".join(
            f"CAST({name} AS {'TIMESTAMP' if type_ == zoned else 'VARCHAR'}) AS {name}"
            if zoned in type_
            else name
            for name, type_ in zip(quoted, types, strict=True)
        )
        plain = self._within(lambda: relation.project(casts))
        rows = iter(plain.iter_rows(ROWS_AT_ONCE))

        def fetched() -> Iterator[tuple[Any, ...]]:
            while some := self._within(lambda: list(islice(rows, ROWS_AT_ONCE))):
                yield from some

        return Answer(
            tuple(relation.columns), tuple(str(type_) for type_ in plain.types), fetched()
        )

    def _fetched(self, result: DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
        while rows := self._within(lambda: result.fetchmany(ROWS_AT_ONCE)):
            yield from rows

    def _within(self, work: Callable[[], T]) -> T:
        """Do ``work`` on the engine within the time that is left; only the engine's own time counts.

        In a thread, because while the engine works Python would see neither the clock nor Ctrl-C.
        """
        done: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

        def run() -> None:
            try:
                done.put((work(), None))
            except BaseException as error:  # noqa: BLE001 -- handed to the caller's thread
                done.put((None, error))

        started = monotonic()
        threading.Thread(target=run, daemon=True, name="audit").start()
        try:
            value, error = done.get(timeout=max(0.01, self._left_seconds))
        except queue.Empty:
            self._stop(done, TimedOut.exit_code)
            raise TimedOut(
                f"The question took longer than {self._timeout_seconds:g} s.",
                hint="Narrow it down (a system, a time), or give it longer: --timeout SECONDS",
            ) from None
        except KeyboardInterrupt:
            self._stop(done, INTERRUPTED)
            raise
        self._left_seconds -= monotonic() - started
        if error is not None:
            raise told(error) from None
        return value  # pyright: ignore[reportReturnType] -- there was no error

    def _stop(self, done: queue.SimpleQueue[Any], exit_code: int) -> None:
        self._connection.interrupt()
        try:
            done.get(timeout=GRACE_SECONDS)
        except queue.Empty:
            # Inside one huge operation it hears nothing, and Python can't end in order beside it.
            atexit.register(_leave_at_once, exit_code)


def _leave_at_once(exit_code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


def _bound(statement: Statement, parameters: Parameters) -> dict[str, Any]:
    wanted = set(statement.named_parameters)
    missing = sorted(wanted - parameters.keys())
    if missing:
        raise BadInput(
            f"The statement asks for {', '.join('$' + name for name in missing)}.",
            hint=f"Give it a value: --param {missing[0]}=…",
        )
    return {name: value for name, value in parameters.items() if name in wanted}


def told(error: BaseException) -> BaseException:
    """Return what an error of the engine means to the person who asked."""
    import duckdb

    if not isinstance(error, duckdb.Error):
        return error
    first, hints = _sentences(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return LedgerError(
            f"The question needs more memory than it may take ({shut_in.MEMORY}).",
            hint="Narrow it down, or leave the sorting of very large results out.",
        )
    if isinstance(error, duckdb.PermissionException):
        return BadInput(
            "Audit SQL reads the replica: no file, no network, no extension.", hint=None
        )
    if isinstance(error, duckdb.InterruptException):
        return TimedOut("The question was interrupted.")
    if isinstance(error, duckdb.IOException | duckdb.FatalException | duckdb.InternalException):
        return LedgerError(
            f"The replica can't be read: {first}",
            hint="Build it anew from the log: rollout sql --rebuild",
        )
    return BadInput(f"The SQL can't be run: {first}", hint=hints)


def _sentences(error: duckdb.Error) -> tuple[str, str | None]:
    """Return an error's first sentence without its label, and DuckDB's own hint with where it points."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    first = lines[0].partition(" Error: ")[2] or lines[0]
    hints = [line.strip() for line in lines[1:] if line.startswith(("Did you mean", "Candidate"))]
    at = [index for index, line in enumerate(lines) if line.startswith("LINE ")]
    if at:
        pointed = lines[at[0] : at[0] + 2]
        hints.append(pointed[0].strip() + (f"\n        {pointed[1]}" if len(pointed) > 1 else ""))
    return first, "; ".join(hints) or None
