"""Rows on their way into a table: added by COPY, or fetched, changed and written back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, LiteralString

import orjson
from psycopg import sql

from projections.core.base import Db

Key = tuple[Any, ...]
Row = dict[str, Any]


def copy_in(db: Db, into: sql.Composed, rows: Iterable[Sequence[Any]]) -> None:
    """Write ``rows`` by COPY."""
    with db.cursor() as cursor, cursor.copy(into) as copy:
        for row in rows:
            copy.write_row(row)


def _copy(table: LiteralString, columns: Sequence[LiteralString]) -> sql.Composed:
    return sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), _list(columns))


def _list(columns: Sequence[LiteralString]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


class Added:
    """Rows that are only ever added."""

    def __init__(self, table: LiteralString, columns: Sequence[LiteralString]) -> None:
        self._copy = _copy(table, columns)
        self._rows: list[Sequence[Any]] = []
        self.add = self._rows.append

    def stream(self, db: Db, rows: Iterable[Sequence[Any]]) -> None:
        """Write ``rows``, one at a time, without holding them all."""
        copy_in(db, self._copy, rows)

    def write(self, db: Db) -> None:
        """Write what was added."""
        if self._rows:
            copy_in(db, self._copy, self._rows)
            self._rows.clear()


class Kept:
    """Rows that later events change, in memory only between two writes.

    A row is found by the values of its ``key`` columns until it is retired: what is retired can't
    change any more, so that nothing need be fetched for a key that starts anew.
    """

    def __init__(
        self,
        table: LiteralString,
        key: Sequence[LiteralString],
        columns: Sequence[LiteralString],
        *,
        json: Sequence[LiteralString] = (),
    ) -> None:
        self._key = tuple(key)
        self._columns = tuple(columns)
        self._json = frozenset(json)
        self._copy = _copy(table, self._columns)
        names = sql.Identifier(table), _list(self._columns)
        self._select = sql.SQL("SELECT ctid::text, {1} FROM {0} WHERE ").format(*names)
        self._delete = sql.SQL("DELETE FROM {} WHERE ctid = ANY (%s::text[]::tid[])").format(
            names[0]
        )
        self._rows: dict[Key, Row] = {}
        self._places: dict[Key, str] = {}
        self._changed: dict[Key, None] = {}
        self._outdated: list[str] = []
        self._retired: list[Row] = []

    def fetch(self, db: Db, where: LiteralString, *values: Sequence[Any]) -> None:
        """Fetch the rows for which ``where`` holds; ``values`` are its parameters."""
        for place, *cells in db.execute(self._select + sql.SQL(where), values):
            row: Row = dict(zip(self._columns, cells, strict=True))
            for name in self._json:
                row[name] = orjson.loads(row[name])
            key = tuple(row[name] for name in self._key)
            self._rows[key] = row
            self._places[key] = place

    def get(self, *key: Any) -> Row | None:
        """Return the row to be changed, or None. Call `put` after changing it."""
        return self._rows.get(key)

    def all(self) -> list[Row]:
        """Return the rows that were fetched or put, and not retired."""
        return list(self._rows.values())

    def put(self, row: Row) -> None:
        """Have a new or changed row written."""
        key = tuple(row[name] for name in self._key)
        self._rows[key] = row
        self._changed[key] = None

    def retire(self, row: Row) -> None:
        """Have a row written for the last time."""
        key = tuple(row[name] for name in self._key)
        _ = self._rows.pop(key, None)
        _ = self._changed.pop(key, None)
        place = self._places.pop(key, None)
        if place is not None:
            self._outdated.append(place)
        self._retired.append(row)

    def write(self, db: Db) -> None:
        """Write what changed, and forget every row."""
        outdated = self._outdated + [
            self._places[key] for key in self._changed if key in self._places
        ]
        if outdated:
            db.execute(self._delete, (outdated,))
        rows = self._retired + [self._rows[key] for key in self._changed]
        if rows:
            copy_in(db, self._copy, map(self._cells, rows))
        for kept in (self._rows, self._places, self._changed, self._outdated, self._retired):
            kept.clear()

    def _cells(self, row: Row) -> list[Any]:
        return [
            orjson.dumps(row[name]).decode() if name in self._json else row[name]
            for name in self._columns
        ]
